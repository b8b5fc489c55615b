// Starts comparisons and draws what comes: lines while they run, a table of results.

import { Chart } from './chart.js';
import { connect } from './connection.js';

const LIBRARIES = ['ws', 'ferrows'];
const DRIVERS = { js: 'JavaScript thread', worker: 'worker', both: 'both' };
const byId = (id) => document.getElementById(id);

const count = (value) =>
  value >= 1e6
    ? `${+(value / 1e6).toFixed(2)} M`
    : value >= 1e3
      ? `${+(value / 1e3).toFixed(1)} k`
      : `${+value.toFixed(0)}`;
const percent = (value) => `${(value * 100).toFixed(0)} %`;
const duration = (value) => `${value >= 10 ? value.toFixed(0) : +value.toPrecision(2)} ms`;
const micros = (value) =>
  value === null ? '–' : `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} µs`;

const charts = {
  rate: new Chart(byId('chart-rate'), { format: count, least: 1000, series: LIBRARIES }),
  cpu: new Chart(byId('chart-cpu'), {
    format: percent,
    least: 0.2,
    series: LIBRARIES.flatMap((library) => [library, `${library}-js`])
  }),
  latency: new Chart(byId('chart-latency'), {
    format: duration,
    least: 1,
    logarithmic: true,
    series: LIBRARIES.flatMap((library) => [library, `${library}-p99`])
  })
};

let scenarios = [];
let socket = null;
/** The scenario that is drawn, and those that are to follow. */
let current = null;
let queue = [];
const results = {};

const scenario = (id) => scenarios.find((one) => one.id === id);

/** Text for those who do not see the charts, and for those who do. */
function say(text) {
  byId('progress').textContent = text;
}

function start(ids) {
  queue = [...ids];
  next();
}

function next() {
  const id = queue.shift();
  setBusy(id !== undefined);
  if (id !== undefined) socket?.send(JSON.stringify({ start: id }));
}

function setBusy(busy) {
  const isReady = !busy && socket !== null && scenarios.length > 0;
  for (const button of document.querySelectorAll('.start button')) button.disabled = !isReady;
}

function draw(id) {
  current = id;
  const { seconds, text, title } = scenario(id);
  byId('scenario').textContent = title;
  byId('explanation').textContent = text;
  results[id] = {};
  for (const chart of Object.values(charts)) chart.clear(seconds);
  byId('drivers').replaceChildren();
  byId('driver').textContent = '–';
  byId('verdict').textContent = '\u00a0';
  for (const button of byId('scenarios').children) {
    button.setAttribute('aria-pressed', String(button.dataset.id === id));
  }
  fillRow(id);
}

function showDriver({ driver, time }, seconds) {
  if (driver === null) return;
  byId('driver').textContent = DRIVERS[driver];
  const strip = byId('drivers');
  const left = strip.lastElementChild;
  // One piece for each driver in a row; its width is the share of time.
  if (left === null || left.dataset.driver !== driver) {
    const piece = document.createElementNS(strip.namespaceURI, 'rect');
    const from = left === null ? 0 : Number(left.dataset.end);
    piece.dataset.driver = driver;
    piece.setAttribute('class', `driver-${driver}`);
    piece.setAttribute('x', from);
    piece.setAttribute('height', 10);
    piece.dataset.start = from;
    strip.append(piece);
  }
  const piece = strip.lastElementChild;
  const end = Math.min(time / seconds, 1) * 100;
  piece.dataset.end = end;
  piece.setAttribute('width', Math.max(end - Number(piece.dataset.start), 0));
}

function showSample(id, library, sample) {
  const { cpu, js, p50, p99, rate, time } = sample;
  charts.rate.add(library, time, rate);
  charts.cpu.add(library, time, cpu);
  charts.cpu.add(`${library}-js`, time, js);
  charts.latency.add(library, time, p50);
  charts.latency.add(`${library}-p99`, time, p99);
  if (library === 'ferrows') showDriver(sample, scenario(id).seconds);
}

const COLUMNS = [
  ['rate', count],
  ['cpuEach', micros],
  ['jsEach', micros],
  ['p50', duration],
  ['p99', duration]
];

/** Both libraries' rows of a scenario, made again. */
function fillRow(id) {
  const body = byId(`rows-${id}`);
  body.replaceChildren();
  LIBRARIES.forEach((library, index) => {
    const row = document.createElement('tr');
    if (index === 0) row.append(heading(scenario(id).title, { rowSpan: 2, scope: 'rowgroup' }));
    row.append(heading(library, { scope: 'row', className: library }));
    const result = results[id]?.[library];
    for (const [key, format] of COLUMNS) {
      const cell = document.createElement('td');
      cell.textContent = result?.[key] == null ? '–' : format(result[key]);
      if (library === 'ferrows') cell.append(...ratio(id, key));
      row.append(cell);
    }
    body.append(row);
  });
}

function heading(text, properties) {
  return Object.assign(document.createElement('th'), { textContent: text, ...properties });
}

function ratio(id, key) {
  const { ferrows, ws } = results[id] ?? {};
  if (!ferrows || !ws || ferrows[key] == null || !ws[key]) return [];
  const times = document.createElement('small');
  times.textContent = ` ${(ferrows[key] / ws[key]).toFixed(2)}×`;
  return [times];
}

/** The same as the charts in words. */
function describe(id) {
  const { ferrows, ws } = results[id];
  if (!ferrows || !ws) return;
  const pair = (format, key) => `ws ${format(ws[key])}, ferrows ${format(ferrows[key])}`;
  const texts = {
    rate: `Messages per second: ${pair(count, 'rate')}.`,
    cpu: `CPU a message: ${pair(micros, 'cpuEach')}; of the JavaScript thread: ${pair(micros, 'jsEach')}.`,
    latency: `Round trip, median: ${pair(duration, 'p50')}; 99th percentile: ${pair(duration, 'p99')}.`
  };
  for (const [name, text] of Object.entries(texts)) {
    byId(`chart-${name}`).setAttribute('aria-label', text);
  }
  say(`${scenario(id).title}: ${texts.rate} ${texts.cpu}`);
  byId('verdict').textContent = verdict(id);
}

/** What a result comes to, the part first that its load is about. */
function verdict(id) {
  const { ferrows, ws } = results[id];
  const times = (key) => `${(ferrows[key] / ws[key]).toFixed(key === 'rate' ? 1 : 2)} times`;
  const parts = { rate: `${times('rate')} the messages of ws` };
  if (ferrows.cpuEach !== null && ws.cpuEach > 0) {
    parts.cpu = `${times('cpuEach')} the CPU a message`;
  }
  const { headline, title } = scenario(id);
  const order = headline === 'cpu' ? [parts.cpu, parts.rate] : [parts.rate, parts.cpu];
  return `${title}, ferrows: ${order.filter(Boolean).join(', ')}`;
}

function prepare({ obstacle, running, scenarios: list }) {
  scenarios = list;
  if (byId('scenarios').children.length === 0) {
    for (const { id, title } of list) {
      const button = document.createElement('button');
      Object.assign(button, { type: 'button', textContent: title });
      button.dataset.id = id;
      button.setAttribute('aria-pressed', 'false');
      button.onclick = () => start([id]);
      byId('scenarios').append(button);
      const body = document.createElement('tbody');
      body.id = `rows-${id}`;
      byId('results').append(body);
      fillRow(id);
    }
  }
  if (obstacle !== null) {
    say(obstacle);
    return;
  }
  setBusy(running !== null);
  if (running !== null) draw(running);
  else if (current === null) say('Nothing runs yet.');
}

connect('/comparison', {
  onOpen(ws) {
    socket = ws;
  },
  onMessage(data) {
    const event = JSON.parse(data);
    if (event.scenarios) {
      prepare(event);
    } else if (event.begin) {
      setBusy(true);
      draw(event.begin);
      say(`${scenario(event.begin).title}: running …`);
    } else if (event.sample) {
      if (event.id === current) showSample(event.id, event.library, event.sample);
    } else if (event.result) {
      (results[event.id] ??= {})[event.library] = event.result;
      fillRow(event.id);
    } else if (event.end) {
      if (event.error) say(`The comparison failed: ${event.error}`);
      else describe(event.end);
      if (event.error) queue = [];
      next();
    }
  },
  onClose() {
    socket = null;
    queue = [];
    setBusy(true);
  }
});

byId('run').onclick = () => start(scenarios.map(({ id }) => id));
