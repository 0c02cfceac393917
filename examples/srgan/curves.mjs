/*
 * Draws PSNR, SSIM and LPIPS of a run's evaluations as curves.svg beside this file:
 *   node examples/srgan/curves.mjs out/store/runs/srgan/checkpoints/NAME
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const from = process.argv[2];
if (!from) throw new Error('usage: node curves.mjs CHECKPOINT');
const { history } = JSON.parse(readFileSync(join(from, 'manifest.json'), 'utf8'));
const [width, height, margin] = [250, 150, { left: 50, right: 15, top: 28, bottom: 24 }];
const last = Math.max(...history.evaluations.map(({ iteration }) => iteration));

const panels = ['psnr', 'ssim', 'lpips'].map((score, panel) => {
  const points = history.evaluations.map((evaluation) => [evaluation.iteration, evaluation[score]]);
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
