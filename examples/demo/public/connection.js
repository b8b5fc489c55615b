// WebSockets that come back when the server does, and the line that tells whether it is there.

const RETRY = 1000;

const status = document.getElementById('status');
let away = 0;

function show() {
  const text = away === 0 ? 'connected' : 'the server is away, trying again …';
  // Said once, not with every attempt.
  if (status.textContent !== text) status.textContent = text;
  document.body.classList.toggle('away', away > 0);
}

/**
 * @param {string} path
 * @param {{onOpen?: Function, onMessage: Function, onClose?: Function}} handlers Called with the
 *     WebSocket, and with a message's data and the WebSocket
 */
export function connect(path, { onOpen, onMessage, onClose }) {
  const scheme = location.protocol.replace('http', 'ws');
  let isAway = false;

  (function open() {
    const ws = new WebSocket(`${scheme}//${location.host}${path}`);
    ws.onopen = () => {
      if (isAway) away--;
      isAway = false;
      show();
      onOpen?.(ws);
    };
    ws.onmessage = ({ data }) => onMessage(data, ws);
    ws.onclose = () => {
      if (!isAway) away++;
      isAway = true;
      show();
      onClose?.();
      setTimeout(open, RETRY);
    };
  })();
}
