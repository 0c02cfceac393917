import { createCanvas } from '@napi-rs/canvas';
import { withLabels, type DashboardJson, type PanelJson } from './dashboard-json.js';
import { colors, drawPanel, type Line, type Mark, type Place } from './draw-panel.js';
import { queryRange, type TimeRange } from './prometheus.js';

export interface DrawOptions {
  /** URL of Prometheus. */
  url: string;
  /** Values of the dashboard's variables. */
  namespace: string;
  run: string;
  range: TimeRange;
  /** The window of rates, such as `1m`. */
  rateInterval: string;
  /** A registered font. */
  family: string;
}

const width = 1400;
const unitHeight = 30;
const gap = 6;

/** Draw a dashboard as a PNG, roughly as Grafana shows it, with each panel's expressions queried from Prometheus. */
export async function drawDashboard(dashboard: DashboardJson, options: DrawOptions): Promise<Buffer> {
  const { panels } = dashboard;
  const bottom = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
  const canvas = createCanvas(width, (bottom + 1) * unitHeight + 2 * gap);
  const context = canvas.getContext('2d');
  context.fillStyle = colors.page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colors.text;
  context.font = `bold 15px "${options.family}"`;
  context.fillText(dashboard.title, gap * 2, 24);
  const marks = await readMarks(dashboard, options);
  for (const panel of panels) {
    const place = placeOf(panel);
    if (panel.type === 'row') {
      context.fillStyle = colors.text;
      context.font = `14px "${options.family}"`;
      context.fillText(panel.title, place.x + 4, place.y + 19);
      continue;
    }
    const lines = await readLines(panel, options);
    const { start, end } = options.range;
    drawPanel(context, place, panel, { lines, marks, start: start * 1000, end: end * 1000 }, options.family);
  }
  return canvas.toBuffer('image/png');
}

function placeOf({ gridPos: { x, y, w, h } }: PanelJson): Place {
  const column = (width - 2 * gap) / 24;
  return {
    ...{ x: Math.round(gap + x * column + gap / 2), y: Math.round((y + 1) * unitHeight + gap / 2) },
    ...{ width: Math.round(w * column - gap), height: h * unitHeight - gap },
  };
}

async function readLines({ targets = [] }: PanelJson, options: DrawOptions): Promise<Line[]> {
  const read = targets.map(async ({ expr, legendFormat }) => {
    const series = await queryRange(options.url, filled(expr, options), options.range);
    return series.map(({ labels, points }) => ({ name: withLabels(legendFormat, labels), points: finite(points) }));
  });
  return (await Promise.all(read)).flat();
}

/** One mark at the beginning of each interval in which an annotation's expression has a value. */
async function readMarks({ annotations }: DashboardJson, options: DrawOptions): Promise<Mark[]> {
  const read = (annotations?.list ?? []).map(async ({ expr, titleFormat = '', iconColor = 'grey' }) => {
    const series = expr ? await queryRange(options.url, filled(expr, options), options.range) : [];
    return series.flatMap(({ labels, points }) =>
      points
        .filter(({ x }, i) => i === 0 || x - points[i - 1].x > options.range.step * 1500)
        .map(({ x }) => ({ x, title: withLabels(titleFormat, labels), color: iconColor })),
    );
  });
  return (await Promise.all(read)).flat();
}

const filled = (expression: string, { namespace, run, rateInterval }: DrawOptions): string =>
  expression.replaceAll('$namespace', namespace).replaceAll('$run', run).replaceAll('$__rate_interval', rateInterval);

const finite = (points: Line['points']): Line['points'] => points.filter(({ y }) => Number.isFinite(y));
