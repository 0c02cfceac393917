import { expect, test } from 'vitest';
import { barLine } from './progress-bar.js';

const text = '3.2/48.5 megapixels  0.042/s  ETA 17:58  ';

test('the bar takes the room that is left, up to its usual width', () => {
  expect(barLine('upscale', 0.5, text, 200)).toBe(`upscale [${'='.repeat(12)}${' '.repeat(12)}] ${text.trimEnd()}`);
  const line = barLine('upscale', 0.5, text, 65);
  expect(line).toHaveLength(64);
  expect(line).toMatch(/^upscale \[=+ +\] 3\.2/);
});

test('without room for a bar the text stands alone, cut to fit', () => {
  expect(barLine('upscale', 0.5, text, 55)).toBe(`upscale ${text.trimEnd()}`);
  expect(barLine('upscale', 0.5, `${text}${'a'.repeat(90)}`, 80)).toHaveLength(79);
});
