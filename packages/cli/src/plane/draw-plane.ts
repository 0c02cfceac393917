import { linearTicks, placeLabels, rangeOf, type Box } from './layout.js';
import type { PlanePoint } from './points.js';

const size = { width: 840, height: 560 };
const area: Box = { left: 76, top: 56, width: 740, height: 440 };
const fontSize = 13;
const colours: Record<PlanePoint['kind'], string> = { measured: '#1f6fb4', blend: '#7b4fa3', published: '#777777' };

/** The points as an SVG: PSNR to the right, LPIPS upwards, so that better is right and low. The path runs through `path` in its order. */
export function drawPlane(points: readonly PlanePoint[], path: readonly PlanePoint[], lpips: string): string {
  const [x, y] = [scale(points.map(({ psnr }) => psnr)), scale(points.map(({ lpips }) => lpips))];
  const placed = points.map((point) => ({
    point,
    x: area.left + x.share(point.psnr) * area.width,
    y: area.top + (1 - y.share(point.lpips)) * area.height,
  }));
  const placeOf = (wanted: PlanePoint) => placed.find(({ point }) => point === wanted);
  const line = path.flatMap((point) => placeOf(point) ?? []).map((at) => `${at.x.toFixed(1)},${at.y.toFixed(1)}`);
  const labels = placeLabels(
    placed.map((at) => ({ ...at, text: labelOf(at.point) })),
    area,
    fontSize,
  );
  const bottom = area.top + area.height;
  const middle = { x: area.left + area.width / 2, y: area.top + area.height / 2 };
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" width="${size.width}" height="${size.height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="${fontSize}" fill="#222222">
<title>Perception-distortion plane: PSNR against LPIPS</title>
<rect width="100%" height="100%" fill="white"/>
<text x="${area.left}" y="30" font-size="17" font-weight="bold">Perception against distortion: better is right and low</text>
${x.ticks.map((tick) => vertical(area.left + x.share(tick) * area.width, x.text(tick))).join('\n')}
${y.ticks.map((tick) => horizontal(area.top + (1 - y.share(tick)) * area.height, y.text(tick))).join('\n')}
<rect x="${area.left}" y="${area.top}" width="${area.width}" height="${area.height}" fill="none" stroke="#999999"/>
<text x="${middle.x}" y="${bottom + 48}" text-anchor="middle">PSNR on Y, dB</text>
<text transform="translate(22 ${middle.y}) rotate(-90)" text-anchor="middle">${escaped(lpips)}</text>
${line.length > 1 ? `<polyline points="${line.join(' ')}" fill="none" stroke="${colours.blend}" stroke-width="2" stroke-dasharray="6 4"/>` : ''}
${placed.map((at) => mark(at)).join('\n')}
${labels.map(({ left, baseline, text }) => `<text x="${left.toFixed(1)}" y="${baseline.toFixed(1)}">${escaped(text)}</text>`).join('\n')}
</svg>
`;
}

/** A blend is labelled with its share, since its name has two names in it. */
const labelOf = ({ name, alpha }: PlanePoint): string => (alpha === undefined ? name : String(alpha));

function scale(values: readonly number[]) {
  const [low, high] = rangeOf(values);
  const ticks = linearTicks(low, high);
  const digits = Math.max(0, Math.ceil(-Math.log10(ticks[1] - ticks[0] || 1) - 1e-9));
  return {
    ticks,
    share: (value: number) => (value - low) / (high - low),
    text: (tick: number) => tick.toFixed(digits),
  };
}

const vertical = (x: number, text: string): string => {
  const bottom = area.top + area.height;
  return `<path d="M${x.toFixed(1)} ${area.top}V${bottom}" stroke="#e4e4e4"/><text x="${x.toFixed(1)}" y="${bottom + 20}" text-anchor="middle">${text}</text>`;
};

const horizontal = (y: number, text: string): string =>
  `<path d="M${area.left} ${y.toFixed(1)}H${area.left + area.width}" stroke="#e4e4e4"/><text x="${area.left - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end">${text}</text>`;

function mark({ point, x, y }: { point: PlanePoint; x: number; y: number }): string {
  const scores = `${point.name}: ${point.psnr.toFixed(2)} dB, LPIPS ${point.lpips.toFixed(4)}`;
  const shape = `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${point.kind === 'blend' ? 3.5 : 5.5}"`;
  const paint =
    point.kind === 'published'
      ? `fill="white" stroke="${colours.published}" stroke-width="2"`
      : `fill="${colours[point.kind]}"`;
  return `${shape} ${paint}><title>${escaped(scores)}</title></circle>`;
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** Names come from checkpoints. */
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => entities[character]);
