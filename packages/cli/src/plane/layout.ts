/** A rectangle in pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The smallest and the largest value, with room around them. */
export function rangeOf(values: readonly number[]): [low: number, high: number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

/** Round numbers between two values, four to eight. */
export function linearTicks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/** A point with its label's text. */
export interface Labelled {
  x: number;
  y: number;
  text: string;
}

/** Mean width of a character, as a share of the font's size. */
const characterWidth = 0.6;
/** Space between a point's middle and its label. */
const gap = 10;

/**
 * A place for each label beside its point: right, left, below or above, the first that is within `area` and covers neither a point nor
 * an earlier label; the first one if all do.
 */
export function placeLabels(
  points: readonly Labelled[],
  area: Box,
  fontSize: number,
): { left: number; baseline: number; text: string }[] {
  const taken: Box[] = points.map(({ x, y }) => ({ left: x - 6, top: y - 6, width: 12, height: 12 }));
  return points.map(({ x, y, text }) => {
    const [width, height] = [text.length * characterWidth * fontSize, fontSize * 1.2];
    const candidates = [
      { left: x + gap, top: y - height / 2 },
      { left: x - gap - width, top: y - height / 2 },
      { left: x - width / 2, top: y + gap },
      { left: x - width / 2, top: y - gap - height },
      { left: x + gap, top: y - gap - height / 2 },
      { left: x + gap, top: y + gap - height / 2 },
    ].map((place) => ({ ...place, width, height }));
    const free = (box: Box) => isWithin(box, area) && !taken.some((other) => overlap(box, other));
    const chosen = candidates.find(free) ?? candidates[0];
    taken.push(chosen);
    return { left: chosen.left, baseline: chosen.top + fontSize, text };
  });
}

const isWithin = (box: Box, area: Box): boolean =>
  box.left >= area.left &&
  box.top >= area.top &&
  box.left + box.width <= area.left + area.width &&
  box.top + box.height <= area.top + area.height;

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
