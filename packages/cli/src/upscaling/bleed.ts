/** Pixels with their opacity; of several sizes, each half as wide and high as the one before. */
interface Layer {
  rgb: Uint8Array;
  alpha: Uint8Array;
  width: number;
  height: number;
}

/**
 * Give fully transparent pixels the colours of the visible ones around them, in place: bicubic and networks look at neighbours,
 * and would otherwise mix invisible colours into those at the edge. Visible pixels stay as they are.
 */
export function bleedColours(layer: Layer): void {
  const { alpha } = layer;
  if (alpha.includes(0) && alpha.some((opacity) => opacity > 0)) fill(layer);
}

/** Fill transparent pixels from a layer of half the size, which is filled first. At least one pixel is visible. */
function fill(layer: Layer): void {
  const { rgb, alpha, width, height } = layer;
  if (!alpha.includes(0)) return;
  const half = halved(layer);
  fill(half);
  for (let y = 0, at = 0; y < height; y++) {
    // Bilinear: a pixel's own place in the smaller layer counts three times as much as the next one, in both directions.
    const row = y >> 1;
    const otherRow = clamp(row + (y & 1 ? 1 : -1), half.height);
    for (let x = 0; x < width; x++, at++) {
      if (alpha[at] > 0) continue;
      const column = x >> 1;
      const otherColumn = clamp(column + (x & 1 ? 1 : -1), half.width);
      const near = 3 * (row * half.width + column);
      const beside = 3 * (row * half.width + otherColumn);
      const above = 3 * (otherRow * half.width + column);
      const across = 3 * (otherRow * half.width + otherColumn);
      for (let c = 0; c < 3; c++) {
        const sum = 9 * half.rgb[near + c] + 3 * (half.rgb[beside + c] + half.rgb[above + c]) + half.rgb[across + c];
        rgb[3 * at + c] = (sum + 8) >> 4;
      }
    }
  }
}

const clamp = (place: number, size: number): number => Math.min(Math.max(place, 0), size - 1);

/** Half as wide and high: means of 2x2 pixels weighted by opacity; their mean opacity, rounded up: where one is visible, something is. */
function halved({ rgb, alpha, width, height }: Layer): Layer {
  const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
  const pixels = half.width * half.height;
  const out = { ...half, rgb: new Uint8Array(3 * pixels), alpha: new Uint8Array(pixels) };
  for (let y = 0, to = 0; y < half.height; y++) {
    for (let x = 0; x < half.width; x++, to++) {
      let [red, green, blue, weight] = [0, 0, 0, 0];
      for (let row = 2 * y; row < Math.min(2 * y + 2, height); row++) {
        for (let column = 2 * x; column < Math.min(2 * x + 2, width); column++) {
          const at = row * width + column;
          const opacity = alpha[at];
          red += opacity * rgb[3 * at];
          green += opacity * rgb[3 * at + 1];
          blue += opacity * rgb[3 * at + 2];
          weight += opacity;
        }
      }
      if (weight === 0) continue;
      out.rgb[3 * to] = Math.round(red / weight);
      out.rgb[3 * to + 1] = Math.round(green / weight);
      out.rgb[3 * to + 2] = Math.round(blue / weight);
      out.alpha[to] = Math.ceil(weight / 4);
    }
  }
  return out;
}
