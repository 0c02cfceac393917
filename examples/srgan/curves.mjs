/*
 * Draws PSNR, SSIM and LPIPS of the evaluations of runs that continue each other as curves.svg beside this file:
 *   node examples/srgan/curves.mjs CHECKPOINT ...
 * CHECKPOINT is a folder such as out/store/runs/srgan-2/checkpoints/NAME, the last that a run contributes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folders = process.argv.slice(2);
if (folders.length === 0) throw new Error('usage: node curves.mjs CHECKPOINT ...');
const evaluations = [];
let last = 0;
for (const folder of folders) {
  const { history, iteration } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  evaluations.push(...history.evaluations.map((each) => ({ ...each, iteration: last + each.iteration })));
  last += iteration;
}
const [width, height, margin] = [250, 150, { left: 50, right: 15, top: 28, bottom: 24 }];

const panels = ['psnr', 'ssim', 'lpips'].map((score, panel) => {
  const points = evaluations.map((evaluation) => [evaluation.iteration, evaluation[score]]);
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (iteration) => margin.left + (iteration / last) * width;
  const y = (value) => margin.top + (1 - (value - low) / (high - low)) * height;
  const digits = score === 'psnr' ? 2 : 3;
  const line = points.map(([iteration, value]) => `${x(iteration).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const title = { psnr: 'PSNR, dB', ssim: 'SSIM', lpips: 'LPIPS (AlexNet), lower is better' }[score];
  return `<g transform="translate(${panel * (width + margin.left + margin.right)})">
<text x="${margin.left}" y="18" font-weight="bold">${title}</text>
<path d="M${margin.left} ${margin.top}v${height}h${width}" fill="none" stroke="#888"/>
<polyline points="${line}" fill="none" stroke="#1f6feb" stroke-width="2"/>
${[low, high].map((value) => `<text x="${margin.left - 6}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(digits)}</text>`).join('\n')}
<text x="${margin.left}" y="${margin.top + height + 18}">0</text>
<text x="${margin.left + width}" y="${margin.top + height + 18}" text-anchor="end">iteration ${last}</text>
</g>`;
});
const size = [3 * (width + margin.left + margin.right), height + margin.top + margin.bottom];
writeFileSync(
  new URL('curves.svg', import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${panels.join('\n')}
</svg>
`,
);
