import { createCanvas, type SKRSContext2D } from '@napi-rs/canvas';
import { Chart, registerables, type ChartConfiguration, type ChartDataset, type Plugin } from 'chart.js';
import type { PhaseConfig } from '@fourfold/common';
import type { History } from '@fourfold/store';
import { fontFamily, registerFonts } from './fonts.js';

/** What a run's curves show. */
export interface CurvesInput {
  history: History;
  phases: readonly Pick<PhaseConfig, 'kind' | 'iterations'>[];
  /** Mean PSNR in dB of bicubic on the evaluated pictures; a line to compare with. */
  bicubicPsnr: number;
}

/** Iterations from `begin` to `end`. */
interface Span {
  begin: number;
  end: number;
}

type Phase = Span & { kind: string };

const panelSize = { width: 1200, height: 400 };
const colours = { blue: '#1f6fb4', orange: '#d9730d', green: '#2e8b57', purple: '#7b4fa3', grey: '#777777' };
const phaseFills = ['#eef3f8', '#fbf1e6'];

/** A run's PSNR and losses over its iterations as a PNG, 1200 pixels wide, a panel of 400 pixels each. */
export function drawCurves({ history, phases, bicubicPsnr }: CurvesInput): Buffer {
  registerFonts();
  Chart.register(...registerables);
  Chart.defaults.font = { family: fontFamily, size: 15 };
  const spans = phaseSpans(phases);
  const whole = { begin: 0, end: spans.at(-1)?.end ?? 0 };
  const gan = spans.filter(({ kind }) => kind === 'gan');
  const panels: Panel[] = [
    {
      title: 'PSNR on held-out photographs (dB)',
      span: whole,
      lines: psnrLines(history, whole, bicubicPsnr),
      scale: 'linear',
    },
    {
      title: 'generator: content loss',
      span: whole,
      lines: [lossLine(history, 'content', 'content', colours.blue)],
      scale: 'logarithmic',
    },
  ];
  if (gan.length > 0) {
    const span = { begin: gan[0].begin, end: whole.end };
    panels.push({ title: 'adversarial losses', span, lines: ganLines(history), scale: 'linear' });
  }
  const canvas = createCanvas(panelSize.width, panelSize.height * panels.length);
  const context = canvas.getContext('2d');
  for (const [i, panel] of panels.entries()) drawPanel(context, i * panelSize.height, panel, spans);
  return canvas.toBuffer('image/png');
}

interface Panel {
  title: string;
  span: Span;
  lines: Line[];
  scale: 'linear' | 'logarithmic';
}

type Line = ChartDataset<'line', { x: number; y: number }[]>;

function phaseSpans(phases: CurvesInput['phases']): Phase[] {
  let begin = 0;
  return phases.map(({ kind, iterations }) => {
    const span = { kind, begin, end: begin + iterations };
    begin = span.end;
    return span;
  });
}

function psnrLines({ evaluations }: History, { begin, end }: Span, bicubicPsnr: number): Line[] {
  return [
    line(
      'generator',
      evaluations.map(({ iteration, psnr }) => ({ x: iteration, y: psnr })),
      colours.blue,
      3,
    ),
    {
      ...line(
        `bicubic, ${bicubicPsnr.toFixed(2)} dB`,
        [begin, end].map((x) => ({ x, y: bicubicPsnr })),
        colours.grey,
        0,
      ),
      borderDash: [8, 6],
    },
  ];
}

const ganLines = (history: History): Line[] => [
  lossLine(history, 'adversarial', 'generator: softplus(-D(SR))', colours.blue),
  lossLine(history, 'discriminatorReal', 'discriminator: softplus(-D(HR))', colours.green),
  lossLine(history, 'discriminatorFake', 'discriminator: softplus(D(SR))', colours.orange),
];

function lossLine({ rows }: History, loss: string, label: string, colour: string): Line {
  const points = rows.flatMap(({ iteration, losses }) => (loss in losses ? [{ x: iteration, y: losses[loss] }] : []));
  return line(label, points, colour, points.length > 30 ? 0 : 3);
}

const line = (label: string, data: Line['data'], colour: string, pointRadius: number): Line => ({
  label,
  data,
  borderColor: colour,
  backgroundColor: colour,
  borderWidth: 2.5,
  pointRadius,
  clip: false,
});

function drawPanel(target: SKRSContext2D, top: number, { title, span, lines, scale }: Panel, phases: Phase[]): void {
  const canvas = createCanvas(panelSize.width, panelSize.height);
  const config: ChartConfiguration<'line', Line['data']> = {
    type: 'line',
    data: { datasets: lines },
    options: {
      responsive: false,
      animation: false,
      layout: { padding: { top: 16, bottom: 16, left: 16, right: 36 } },
      plugins: {
        title: { display: true, text: title, align: 'start', color: '#222222', font: { size: 18, weight: 'bold' } },
        legend: {
          display: lines.length > 1,
          align: 'end',
          labels: { usePointStyle: true, pointStyle: 'line', color: '#222222' },
        },
      },
      scales: {
        x: {
          type: 'linear',
          min: span.begin,
          max: span.end,
          title: { display: true, text: 'iteration' },
          grid: { display: false },
        },
        y: { type: scale, grid: { color: '#d5d5d5' } },
      },
    },
    plugins: [phaseBackground(phases)],
  };
  const chart = new Chart(canvas.getContext('2d') as unknown as CanvasRenderingContext2D, config);
  target.drawImage(canvas, 0, top);
  // This clears the canvas, too.
  chart.destroy();
}

/** Colours the phases behind the lines and writes their kinds at the top. */
function phaseBackground(phases: Phase[]): Plugin<'line'> {
  return {
    id: 'phases',
    beforeDraw({ ctx, width, height, chartArea: { left, right, top, bottom }, scales: { x } }) {
      ctx.fillStyle = 'white';
      ctx.fillRect(0, 0, width, height);
      for (const [i, { kind, begin, end }] of phases.entries()) {
        const from = Math.max(left, x.getPixelForValue(begin));
        const to = Math.min(right, x.getPixelForValue(end));
        if (to <= from) continue;
        ctx.fillStyle = phaseFills[i % phaseFills.length];
        ctx.fillRect(from, top, to - from, bottom - top);
        ctx.fillStyle = '#555555';
        ctx.font = `bold 14px ${fontFamily}`;
        ctx.textAlign = 'left';
        ctx.fillText(kind, from + 8, top + 18);
      }
    },
  };
}
