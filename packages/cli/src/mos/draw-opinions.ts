import { createCanvas } from '@napi-rs/canvas';
import { Chart, registerables } from 'chart.js';
import { fontFamily, registerFonts } from '../report/fonts.js';
import type { Opinion } from './statistics.js';
import { scores } from './study.js';

const size = { width: 1200, rowHeight: 56, margin: 140 };
/** From bad to excellent. */
const colours = ['#a63b32', '#d98a4e', '#d9cf9a', '#8fb8a8', '#2f7d6d'];

/** How each method's ratings are distributed, one bar of shares per method with its mean, as a PNG. */
export function drawOpinions(opinions: readonly Opinion[]): Buffer {
  registerFonts();
  Chart.register(...registerables);
  Chart.defaults.font = { family: fontFamily, size: 15 };
  const canvas = createCanvas(size.width, size.margin + size.rowHeight * opinions.length);
  const interval = (half?: number) => (half === undefined ? '' : ` ± ${half.toFixed(2)}`);
  const chart = new Chart(canvas as unknown as HTMLCanvasElement, {
    type: 'bar',
    data: {
      labels: opinions.map((opinion) => `${opinion.method}  ${opinion.mean.toFixed(2)}${interval(opinion.interval)}`),
      datasets: scores.map((score, i) => ({
        label: String(score),
        backgroundColor: colours[i],
        data: opinions.map(({ distribution, ratings }) => (100 * distribution[i]) / Math.max(1, ratings)),
      })),
    },
    options: {
      animation: false,
      responsive: false,
      indexAxis: 'y',
      scales: {
        x: { stacked: true, max: 100, title: { display: true, text: '% of the ratings' } },
        y: { stacked: true },
      },
      plugins: { title: { display: true, text: 'opinions by method: mean, 95% interval, ratings from 1 to 5' } },
    },
  });
  chart.draw();
  chart.destroy();
  return canvas.toBuffer('image/png');
}
