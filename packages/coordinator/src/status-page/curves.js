import { createChart } from './chart.js';
import { fixed, short } from './format.js';
import { words } from './overview.js';

/** @typedef {import('../status/status.js').StatusSnapshot} StatusSnapshot */
/** @typedef {import('./chart.js').Line} Line */

/** Losses that share a chart; all others share one at the end. */
const lossCharts = [
  { title: 'Content loss', losses: ['content'], logarithmic: true },
  {
    title: 'Adversarial losses',
    losses: ['adversarial', 'discriminatorReal', 'discriminatorFake'],
    logarithmic: false,
  },
];
/** Weighted sum of losses that are drawn already. */
const notDrawn = ['total'];

/**
 * The curves of a run: PSNR, SSIM and LPIPS by evaluation, losses by iteration. A chart appears with its first value.
 *
 * @param {HTMLElement} target
 */
export function createCurves(target) {
  /** @type {Map<string, ReturnType<typeof createChart>>} */
  const charts = new Map();

  /**
   * @param {string} title
   * @param {Omit<import('./chart.js').Drawing, 'begin' | 'end' | 'bands'>} drawing
   * @param {StatusSnapshot} status
   */
  function show(title, drawing, { now, run }) {
    let chart = charts.get(title);
    const isEmpty = drawing.lines.every(({ points }) => points.length === 0);
    if (!chart) {
      if (isEmpty) return;
      chart = createChart(title);
      charts.set(title, chart);
      target.append(chart.figure);
    }
    let begin = 0;
    const bands = run.phases.map(({ kind, iterations }) => {
      const band = { begin, end: begin + iterations, label: kind };
      begin = band.end;
      return band;
    });
    // A loss that only later phases have begins with the first of these phases.
    const first = Math.min(...drawing.lines.flatMap(({ points }) => points.slice(0, 1).map(({ x }) => x)));
    chart.show({
      ...drawing,
      bands: bands.length > 1 ? bands : [],
      begin: bands.find(({ end }) => first <= end)?.begin ?? 0,
      end: Math.max(first, now.iteration),
    });
  }

  return {
    /** @param {StatusSnapshot} status */
    show(status) {
      const { rows, evaluations } = status.history;
      const dots = evaluations.length < 60;
      /** @param {string} label @param {number} colour @param {'psnr' | 'ssim' | 'lpips' | 'bicubicPsnr' | 'bicubicLpips'} score */
      const scoreLine = (label, colour, score) => ({
        label,
        colour,
        points: evaluations.flatMap(({ iteration, [score]: y }) => (y === undefined ? [] : [{ x: iteration, y }])),
        dots: dots && !score.startsWith('bicubic'),
      });
      /** @param {Line[]} lines */
      const drawn = (lines) => lines.filter(({ points }, i) => i === 0 || points.length > 0);
      const psnr = drawn([scoreLine('generator', 1, 'psnr'), scoreLine('bicubic', 2, 'bicubicPsnr')]);
      show('PSNR on the validation pictures (dB)', { lines: psnr, format: (y) => fixed(y, 2) }, status);
      const ssim = [scoreLine('SSIM', 3, 'ssim')];
      show('SSIM on the validation pictures', { lines: ssim, format: (y) => fixed(y, 3) }, status);
      const lpips = drawn([scoreLine('generator', 1, 'lpips'), scoreLine('bicubic', 2, 'bicubicLpips')]);
      show('LPIPS on the validation pictures (lower is better)', { lines: lpips, format: (y) => fixed(y, 4) }, status);

      /** @param {string} name @param {number} i @returns {Line} */
      const lossLine = (name, i) => ({
        label: words(name),
        colour: i + 1,
        points: rows.flatMap(({ iteration, losses }) => (name in losses ? [{ x: iteration, y: losses[name] }] : [])),
      });
      const known = [...notDrawn, ...lossCharts.flatMap(({ losses }) => losses)];
      const others = [...new Set(rows.flatMap(({ losses }) => Object.keys(losses)))].filter(
        (name) => !known.includes(name),
      );
      for (const { title, losses, logarithmic } of [
        ...lossCharts,
        { title: 'Other losses', losses: others, logarithmic: true },
      ]) {
        const lines = losses.map(lossLine).filter(({ points }) => points.length > 0);
        show(title, { lines, logarithmic, format: short }, status);
      }
      if (charts.size === 0) target.dataset['empty'] = `The first losses come after ${status.run.logEvery} iterations.`;
      else delete target.dataset['empty'];
    },
  };
}
