import { expect, test } from 'vitest';
import { createRepeats } from './repeats.js';

test('a repeated event is logged whenever its count has doubled', () => {
  const repeats = createRepeats();
  const said = Array.from({ length: 1000 }, () => repeats('busy')).filter((times) => times !== undefined);
  expect(said).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect(repeats('late')).toBe(1);
});

test('with too many names the oldest is forgotten', () => {
  const repeats = createRepeats();
  expect(repeats('first')).toBe(1);
  for (let i = 0; i < 1000; i++) repeats(`name ${i}`);
  expect(repeats('first')).toBe(1);
});
