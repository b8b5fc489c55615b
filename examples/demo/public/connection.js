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
 * @param {string} first The path, with a query if there is one
 * @param {{onOpen?: Function, onMessage: Function, onClose?: Function}} handlers Called with the
 *     WebSocket, and with a message's data and the WebSocket
 * @return {Function} Moves to another path
 */
export function connect(first, { onOpen, onMessage, onClose }) {
  const scheme = location.protocol.replace('http', 'ws');
  let path = first;
  let isAway = false;
  let current = null;

  function open() {
    const ws = new WebSocket(`${scheme}//${location.host}${path}`);
    current = ws;
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
  }

  open();
  return (next) => {
    path = next;
    // While the server is away the next attempt goes there.
    if (isAway) return;
    Object.assign(current, { onopen: null, onmessage: null, onclose: null });
    current.close();
    open();
  };
}
