import { element, svgElement } from './elements.js';
import { count, short } from './format.js';

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {number} colour one of the page's colours of lines, from 1
 * @property {{ x: number, y: number | null }[]} points in ascending order of x; null leaves a gap
 * @property {boolean} [dots]
 */

/**
 * @typedef {object} Drawing
 * @property {Line[]} lines
 * @property {{ begin: number, end: number, label: string }[]} bands stretches of x with a name
 * @property {number} begin where the x axis begins
 * @property {number} end where it ends, after `begin`
 * @property {boolean} [logarithmic]
 * @property {(y: number | null) => string} format
 */

const height = 220;
const margin = { top: 24, right: 12, bottom: 24, left: 52 };

/**
 * A line chart in SVG, as wide as its container; the pointer shows the values at an iteration.
 *
 * @param {string} title
 */
export function createChart(title) {
  const legend = element('ul', { class: 'legend' });
  const plot = element('div', { class: 'plot' });
  const readout = element('output', { class: 'readout' });
  const figure = element('figure', { class: 'card chart' }, element('figcaption', {}, title), legend, plot, readout);
  /** @type {Drawing | undefined} */
  let drawing;
  /** @type {number | undefined} */
  let pointed;

  function draw() {
    const width = plot.clientWidth;
    if (!drawing || width === 0) return;
    const scales = createScales(drawing, width);
    const parts = [...axes(drawing, scales, width), ...drawing.lines.map((line) => drawLine(line, scales))];
    if (pointed !== undefined) parts.push(marker(pointed, scales));
    const label = `${title}: ${describe(drawing, undefined)}`;
    plot.replaceChildren(svgElement('svg', { width, height, role: 'img', 'aria-label': label }, ...parts));
    readout.textContent = describe(drawing, pointed);
  }

  plot.addEventListener('pointermove', ({ clientX }) => {
    if (!drawing) return;
    const { left, width } = plot.getBoundingClientRect();
    const inner = width - margin.left - margin.right;
    const { begin, end } = drawing;
    pointed = nearestX(drawing, begin + ((clientX - left - margin.left) / inner) * (end - begin));
    draw();
  });
  plot.addEventListener('pointerleave', () => {
    pointed = undefined;
    draw();
  });
  new ResizeObserver(draw).observe(plot);
  return {
    figure,
    /** @param {Drawing} next */
    show(next) {
      drawing = next;
      legend.replaceChildren(
        ...(next.lines.length > 1 ? next.lines : []).map(({ label, colour }) =>
          element('li', { class: `colour-${colour}` }, label),
        ),
      );
      draw();
    },
  };
}

/**
 * @typedef {object} Scales
 * @property {(x: number) => number} x
 * @property {(y: number) => number} y
 * @property {number[]} ticks of y
 * @property {(y: number | null) => y is number} drawable
 */

/**
 * @param {Drawing} drawing
 * @param {number} width
 * @returns {Scales}
 */
function createScales({ lines, begin, end, logarithmic = false }, width) {
  /**
   * @param {number | null} y
   * @returns {y is number}
   */
  const drawable = (y) => y !== null && (!logarithmic || y > 0);
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y)).filter(drawable);
  const [low, high] = range(values, logarithmic);
  const map = logarithmic ? Math.log : (/** @type {number} */ y) => y;
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  return {
    drawable,
    x: (x) => margin.left + ((x - begin) / (end - begin)) * inner.width,
    y: (y) => margin.top + ((map(high) - map(y)) / (map(high) - map(low))) * inner.height,
    ticks: logarithmic ? logarithmicTicks(low, high) : linearTicks(low, high),
  };
}

/**
 * The smallest and the largest value, with a margin.
 *
 * @param {number[]} values
 * @param {boolean} logarithmic
 * @returns {[low: number, high: number]}
 */
export function range(values, logarithmic) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > high) return logarithmic ? [0.1, 1] : [0, 1];
  if (logarithmic) return [low / 1.15, high * 1.15];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

/**
 * Round numbers between two values, about four.
 *
 * @param {number} low
 * @param {number} high
 */
export function linearTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

/**
 * Powers of ten between two values, with their multiples by 2 and 5 if there are few.
 *
 * @param {number} low
 * @param {number} high
 */
export function logarithmicTicks(low, high) {
  const decades = Math.log10(high / low);
  if (decades < 0.7) return linearTicks(low, high);
  const between = decades > 3 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    ticks.push(...between.map((digit) => Number(`${digit}e${power}`)));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/**
 * @param {Drawing} drawing
 * @param {Scales} scales
 * @param {number} width
 */
function axes({ bands, begin, end }, { x, y, ticks }, width) {
  const bottom = height - margin.bottom;
  const drawn = [];
  for (const [i, band] of bands.entries()) {
    const from = x(Math.min(Math.max(band.begin, begin), end));
    const to = x(Math.min(Math.max(band.end, begin), end));
    if (to - from < 1) continue;
    const size = { x: from, y: margin.top, width: to - from, height: bottom - margin.top };
    drawn.push(svgElement('rect', { ...size, class: `band band-${i % 2}` }));
    if (to - from > 28) {
      drawn.push(svgElement('text', { x: from + 5, y: margin.top - 8, class: 'band-label' }, band.label));
    }
  }
  for (const tick of ticks) {
    drawn.push(
      svgElement('line', { x1: margin.left, x2: width - margin.right, y1: y(tick), y2: y(tick), class: 'grid' }),
    );
    drawn.push(svgElement('text', { x: margin.left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, tickText(tick)));
  }
  for (const tick of linearTicks(begin, end).filter(Number.isInteger)) {
    const anchor = x(tick) > width - 40 ? 'end' : tick === begin ? 'start' : 'middle';
    drawn.push(svgElement('text', { x: x(tick), y: height - 6, 'text-anchor': anchor }, count(tick)));
  }
  return drawn;
}

/**
 * A round number as it is, unless it is very large or small.
 *
 * @param {number} tick
 */
const tickText = (tick) =>
  tick !== 0 && (Math.abs(tick) < 1e-3 || Math.abs(tick) >= 1e5) ? short(tick) : String(tick);

/**
 * @param {Line} line
 * @param {Scales} scales
 */
function drawLine({ points, colour, dots }, { x, y, drawable }) {
  let path = '';
  let pen = 'M';
  const marks = [];
  for (const point of points) {
    if (!drawable(point.y)) {
      pen = 'M';
      continue;
    }
    const place = { x: x(point.x).toFixed(1), y: y(point.y).toFixed(1) };
    path += `${pen}${place.x} ${place.y}`;
    pen = 'L';
    if (dots || points.length === 1) marks.push(svgElement('circle', { cx: place.x, cy: place.y, r: 3 }));
  }
  return svgElement('g', { class: `line colour-${colour}` }, svgElement('path', { d: path }), ...marks);
}

/**
 * @param {number} at
 * @param {Scales} scales
 */
const marker = (at, { x }) =>
  svgElement('line', { x1: x(at), x2: x(at), y1: margin.top, y2: height - margin.bottom, class: 'marker' });

/**
 * The x nearest to `at` where any line has a point.
 *
 * @param {Drawing} drawing
 * @param {number} at
 */
function nearestX({ lines }, at) {
  /** @type {number | undefined} */
  let nearest;
  for (const { points } of lines) {
    for (const { x } of points) {
      if (nearest === undefined || Math.abs(x - at) < Math.abs(nearest - at)) nearest = x;
    }
  }
  return nearest;
}

/**
 * The lines' values at an x, or their last ones.
 *
 * @param {Drawing} drawing
 * @param {number | undefined} at
 */
function describe({ lines, format }, at) {
  const found = lines.flatMap(({ label, points }) => {
    const point = at === undefined ? points.at(-1) : points.find(({ x }) => x === at);
    return point ? [{ label, ...point }] : [];
  });
  if (found.length === 0) return 'no values yet';
  const values = found.map(({ label, y }) => (lines.length > 1 ? `${label} ${format(y)}` : format(y)));
  return `iteration ${count(found[0].x)}: ${values.join(', ')}`;
}
