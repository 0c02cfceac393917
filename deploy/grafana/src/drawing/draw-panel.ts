import { createCanvas, type SKRSContext2D } from '@napi-rs/canvas';
import { Chart, registerables, type ChartConfiguration, type Plugin } from 'chart.js';
import type { PanelJson } from './dashboard-json.js';
import { inUnit } from './units.js';

/** Position and size of a panel on the picture, in pixels. */
export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A line of a panel, with its name in the legend. */
export interface Line {
  name: string;
  points: { x: number; y: number }[];
}

/** An event: its time in ms, and its title. */
export interface Mark {
  x: number;
  title: string;
  color: string;
}

export interface PanelData {
  lines: Line[];
  marks: Mark[];
  /** Both in ms. */
  start: number;
  end: number;
}

export const colors = {
  page: '#f4f5f5',
  panel: '#ffffff',
  border: '#dcdde0',
  text: '#24292e',
  dim: '#6c6e78',
  grid: '#e8e9eb',
};
const lineColors = [
  '#56a64b',
  '#f2cc0c',
  '#3274d9',
  '#ff780a',
  '#e02f44',
  '#a352cc',
  '#37872d',
  '#e0b400',
  '#1f60c4',
  '#fa6400',
];
const titleHeight = 30;

/** Draw a panel with its border and title, in the font registered as `family`. */
export function drawPanel(
  target: SKRSContext2D,
  place: Place,
  panel: PanelJson,
  data: PanelData,
  family: string,
): void {
  const { x, y, width, height } = place;
  target.fillStyle = colors.panel;
  target.strokeStyle = colors.border;
  target.fillRect(x, y, width, height);
  target.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  target.fillStyle = colors.text;
  target.font = `bold 13px "${family}"`;
  target.fillText(panel.title, x + 10, y + 20);
  const inner = { x: x + 8, y: y + titleHeight, width: width - 16, height: height - titleHeight - 6 };
  if (data.lines.every(({ points }) => points.length === 0)) drawNothing(target, inner, family);
  else if (panel.type === 'stat') drawStat(target, inner, panel, data, family);
  else drawLines(target, inner, panel, data, family);
}

function drawNothing(target: SKRSContext2D, { x, y, width, height }: Place, family: string): void {
  target.fillStyle = colors.dim;
  target.font = `13px "${family}"`;
  target.fillText('No data', x + width / 2 - target.measureText('No data').width / 2, y + height / 2);
}

/** The newest value of each series, side by side; with names if there are several. */
function drawStat(target: SKRSContext2D, place: Place, panel: PanelJson, { lines }: PanelData, family: string): void {
  const width = place.width / lines.length;
  for (const [i, { name, points }] of lines.entries()) {
    const middle = place.x + width * (i + 0.5);
    const write = (text: string, size: number, y: number) => {
      target.font = `${size}px "${family}"`;
      target.fillText(text, middle - target.measureText(text).width / 2, y);
    };
    target.fillStyle = colors.text;
    write(inUnit(points.at(-1)?.y ?? NaN, unitOf(panel)), 34, place.y + place.height / 2 + 8);
    target.fillStyle = colors.dim;
    if (lines.length > 1) write(name, 12, place.y + place.height - 8);
  }
}

function drawLines(target: SKRSContext2D, place: Place, panel: PanelJson, data: PanelData, family: string): void {
  Chart.register(...registerables);
  Chart.defaults.font = { family, size: 11 };
  Chart.defaults.color = colors.dim;
  const stacked = panel.fieldConfig?.defaults.custom?.stacking?.mode === 'normal';
  const canvas = createCanvas(place.width, place.height);
  const config: ChartConfiguration<'line', Line['points']> = {
    type: 'line',
    data: {
      datasets: data.lines.map(({ name, points }, i) => {
        const color = lineColors[i % lineColors.length];
        return {
          ...{ label: name, data: points, borderColor: color, backgroundColor: `${color}4d`, borderWidth: 1.5 },
          ...{ pointRadius: points.length > 1 ? 0 : 2, fill: stacked && (i === 0 ? 'origin' : '-1') },
        };
      }),
    },
    options: {
      ...{ responsive: false, animation: false },
      plugins: {
        legend: { position: 'bottom', align: 'start', labels: { boxWidth: 14, boxHeight: 2, padding: 8 } },
      },
      scales: {
        x: {
          ...{ type: 'linear', min: data.start, max: data.end, grid: { color: colors.grid } },
          ticks: {
            maxRotation: 0,
            callback: (value) => new Date(Number(value)).toISOString().slice(11, 16),
            stepSize: tickMs(data),
          },
        },
        y: {
          ...{ stacked, beginAtZero: stacked, grid: { color: colors.grid } },
          ticks: { maxTicksLimit: 6, callback: (value) => inUnit(Number(value), unitOf(panel)) },
        },
      },
    },
    plugins: [drawMarks(data.marks)],
  };
  const chart = new Chart(canvas.getContext('2d') as unknown as CanvasRenderingContext2D, config);
  target.drawImage(canvas, place.x, place.y);
  // This also clears the canvas.
  chart.destroy();
}

const unitOf = ({ fieldConfig }: PanelJson): string => fieldConfig?.defaults.unit ?? 'short';

/** About six ticks, whole minutes apart. */
const tickMs = ({ start, end }: PanelData): number => Math.max(1, Math.ceil((end - start) / 6 / 60_000)) * 60_000;

const drawMarks = (marks: readonly Mark[]): Plugin<'line'> => ({
  id: 'marks',
  afterDatasetsDraw({ ctx, chartArea, scales: { x } }) {
    ctx.save();
    ctx.setLineDash([4, 3]);
    for (const mark of marks) {
      const at = x.getPixelForValue(mark.x);
      ctx.strokeStyle = mark.color;
      ctx.beginPath();
      ctx.moveTo(at, chartArea.top);
      ctx.lineTo(at, chartArea.bottom);
      ctx.stroke();
    }
    ctx.restore();
  },
});
