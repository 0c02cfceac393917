import { writeFigure } from '../report/write-figure.js';
import { describeOmissions } from '../evaluation/describe-sets.js';
import { evaluateSets } from '../evaluation/evaluate-sets.js';
import { openSubjects } from '../evaluation/open-subjects.js';
import { abortOnInterruption } from '../interruption.js';
import { openLpips } from '../lpips/open-lpips.js';
import { createProgressBar } from '../terminal/progress-bar.js';
import { formatTable } from '../terminal/table.js';
import { blendPath } from './blend-path.js';
import { drawPlane } from './draw-plane.js';
import type { PlaneArguments } from './plane-arguments.js';
import { measuredPoints, publishedPoints, withoutPublished, type PlanePoint } from './points.js';

/** Measure the points, write the SVG; the points, also as a table and as CSV. */
export async function runPlane(options: PlaneArguments): Promise<{ points: PlanePoint[]; text: string; csv: string }> {
  const { images, out, method, model, checkpoint, blend, steps, backend, force } = options;
  const lpips = await openLpips(options.lpips, options.lpipsWeights, backend);
  const chosen = await openSubjects({ methods: method, models: model, checkpoints: checkpoint }, backend);
  const path = blend ? await blendPath(blend[0], blend[1], steps) : [];
  // The ends of the path may have been chosen, too.
  const others = path.filter(({ subject }) => !chosen.some(({ name }) => name === subject.name));
  const subjects = [...chosen, ...others.map(({ subject }) => subject)];
  const bar = createProgressBar('plane', 'measurements');
  try {
    const onProgress = (done: number, total: number) => bar.update(done, total, '');
    const [set] = await evaluateSets([images], subjects, { onProgress, lpips }, abortOnInterruption());
    bar.stop();
    for (const line of describeOmissions([set])) console.error(line);
    const between = path.filter(({ alpha }) => alpha > 0 && alpha < 1);
    const measured = measuredPoints(set, new Map(between.map(({ subject, alpha }) => [subject.name, alpha])));
    const published = publishedPoints(
      set.subjects[0].pictures.map(({ picture }) => picture),
      options.lpips,
    );
    if (published.length === 0) console.error(withoutPublished);
    const points = [...measured, ...published];
    const line = path.flatMap(({ subject }) => measured.find(({ name }) => name === subject.name) ?? []);
    await writeFigure(out, drawPlane(points, line, `LPIPS (${options.lpips})`), { force });
    return { points, text: tableOf(points, options.lpips), csv: csvOf(points, options.lpips) };
  } finally {
    bar.stop();
  }
}

const tableOf = (points: readonly PlanePoint[], network: string): string =>
  formatTable(
    [
      ['', 'PSNR dB', 'SSIM', `LPIPS (${network})`],
      ...points.map(({ name, psnr, ssim, lpips }) => [name, psnr.toFixed(2), ssim?.toFixed(4) ?? '', lpips.toFixed(4)]),
    ],
    ['left', 'right', 'right', 'right'],
  );

/** Unrounded, cells as in RFC 4180. */
function csvOf(points: readonly PlanePoint[], network: string): string {
  const quoted = (cell: string) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  const rows = points.map(({ name, psnr, ssim, lpips, kind }) => [name, psnr, ssim ?? '', lpips, kind].map(String));
  return [['name', 'psnr_db', 'ssim', `lpips_${network}`, 'kind'], ...rows]
    .map((row) => row.map(quoted).join(','))
    .join('\n');
}
