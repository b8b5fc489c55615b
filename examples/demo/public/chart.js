// A line chart with axes, drawn as SVG: one line a series, time on the x axis.

const NAMESPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 420;
const HEIGHT = 190;
const LEFT = 54;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
const LINES = 4;

function create(parent, name, attributes, text) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** The smallest of 1, 2, 2.5, 5, 10, 20 … that is not below the value. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= value * 0.999);
}

export class Chart {
  /**
   * @param {Element} svg
   * @param {Object} options
   * @param {Function} options.format Of a value, for the y axis
   * @param {boolean} [options.logarithmic]
   * @param {number} options.least The top of the y axis is not below this
   * @param {string[]} options.series Names; they are classes of the lines, too
   */
  constructor(svg, { format, least, logarithmic = false, series }) {
    this._svg = svg;
    this._format = format;
    this._least = least;
    this._logarithmic = logarithmic;
    this._series = new Map(series.map((name) => [name, []]));
    this._seconds = 2;
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.clear(2);
  }

  /** @param {number} seconds What the x axis shows */
  clear(seconds) {
    this._seconds = seconds;
    for (const name of this._series.keys()) this._series.set(name, []);
    this._draw();
  }

  /** A point that is unknown is left out. */
  add(name, seconds, value) {
    if (value !== null) this._series.get(name).push([seconds, value]);
    this._draw();
  }

  _bounds() {
    const values = [...this._series.values()].flat().map(([, value]) => value);
    const top = round(Math.max(this._least, ...values));
    if (!this._logarithmic) return { bottom: 0, ticks: this._evenly(top), top };
    const positive = values.filter((value) => value > 0);
    const bottom = 10 ** Math.floor(Math.log10(Math.min(this._least / 10, ...positive)));
    const ceiling = 10 ** Math.ceil(Math.log10(top) - 1e-9);
    const ticks = [];
    for (let tick = bottom; tick <= ceiling * 1.001; tick *= 10) ticks.push(tick);
    return { bottom, ticks, top: ceiling };
  }

  _evenly(top) {
    return Array.from({ length: LINES + 1 }, (_, index) => (top * index) / LINES);
  }

  _draw() {
    const { bottom, ticks, top } = this._bounds();
    const scale = this._logarithmic
      ? (value) => Math.log10(Math.max(value, bottom))
      : (value) => value;
    const height = HEIGHT - TOP - BOTTOM;
    const width = WIDTH - LEFT - RIGHT;
    const share = (value) => (scale(value) - scale(bottom)) / (scale(top) - scale(bottom));
    const y = (value) => TOP + height * (1 - share(value));
    const x = (seconds) => LEFT + width * Math.min(seconds / this._seconds, 1);

    this._svg.replaceChildren();
    for (const tick of ticks) {
      create(this._svg, 'line', {
        class: 'grid',
        x1: LEFT,
        x2: WIDTH - RIGHT,
        y1: y(tick),
        y2: y(tick)
      });
      create(this._svg, 'text', { class: 'y', x: LEFT - 6, y: y(tick) + 4 }, this._format(tick));
    }
    for (let second = 0; second <= this._seconds; second++) {
      create(this._svg, 'text', { class: 'x', x: x(second), y: HEIGHT - 6 }, `${second} s`);
    }
    for (const [name, points] of this._series) {
      const line = points.map(([seconds, value]) => `${x(seconds)},${y(value)}`).join(' ');
      create(this._svg, 'polyline', { class: `series ${name}`, points: line });
      // A line of one point shows nothing.
      for (const [seconds, value] of points.slice(-1)) {
        create(this._svg, 'circle', { class: `dot ${name}`, cx: x(seconds), cy: y(value), r: 3 });
      }
    }
  }
}
