import { expect, test } from 'vitest';
import {
  bytesBefore,
  createWireLayout,
  cutByElement,
  cutBySection,
  elementsBefore,
  isUnrounded,
  plainLayout,
  withoutFactors,
} from './wire-layout.js';

const factors = { rows: 3, inputs: 10, outputs: 7 };
const mixed = createWireLayout([
  { encoding: 'bf16', count: 5 },
  { encoding: 'bf16', count: 6 },
  { encoding: 'factors', factors },
  { encoding: 'bf16', count: 0 },
  { encoding: 'f32', count: 3 },
  { encoding: 'bf16', count: 2 },
]);

test('sections follow one another in the network’s vector, the sender’s and on the wire', () => {
  const places = mixed.sections.map(({ encoding, begin, count, sourceBegin, sourceCount, byteBegin, byteLength }) => [
    encoding,
    [begin, count],
    [sourceBegin, sourceCount],
    [byteBegin, byteLength],
  ]);
  expect(places).toEqual([
    ['bf16', [0, 11], [0, 11], [0, 24]],
    ['factors', [11, 70], [11, 51], [24, 204]],
    ['f32', [81, 3], [62, 3], [228, 12]],
    ['bf16', [84, 2], [65, 2], [240, 8]],
  ]);
  expect(mixed).toMatchObject({ length: 86, sourceLength: 67, byteLength: 248 });
});

test('a float32 vector, with or without factors, is transferred unchanged', () => {
  expect(plainLayout(9)).toMatchObject({ length: 9, sourceLength: 9, byteLength: 36 });
  const parts = [
    { encoding: 'f32' as const, count: 4 },
    { encoding: 'factors' as const, factors },
  ];
  expect([plainLayout(9), createWireLayout(parts), mixed].map(isUnrounded)).toEqual([true, true, false]);
});

test('bytes are cut at section boundaries; padding has no elements', () => {
  const cuts = (from: number, to: number) =>
    cutBySection(mixed, from, to).map(({ section, byteBegin, byteEnd, begin, count }) => [
      section.encoding,
      [byteBegin, byteEnd],
      [begin, count],
    ]);
  expect(cuts(0, 8)).toEqual([['bf16', [0, 8], [0, 4]]]);
  expect(cuts(20, 232)).toEqual([
    ['bf16', [20, 24], [10, 1]],
    ['factors', [24, 228], [11, 70]],
    ['f32', [228, 232], [81, 1]],
  ]);
  expect(cuts(244, 248)).toEqual([['bf16', [244, 248], [86, 0]]]);
  expect(cuts(248, 248)).toEqual([]);
});

test('wherever it is cut, every element comes once and in order', () => {
  for (const size of [4, 12, 36]) {
    const elements: number[] = [];
    for (let at = 0; at < mixed.byteLength; at += size) {
      for (const { section, begin, count } of cutBySection(mixed, at, Math.min(mixed.byteLength, at + size))) {
        if (section.encoding !== 'factors') elements.push(...Array.from({ length: count }, (_, i) => begin + i));
      }
    }
    const expected = Array.from({ length: mixed.length }, (_, i) => i).filter((i) => i < 11 || i >= 81);
    expect(elements).toEqual(expected);
  }
});

test('elements are found on the wire, but not among factors', () => {
  const cuts = (from: number, to: number) =>
    cutByElement(mixed, from, to).map(({ section, byteBegin, byteEnd, begin, count }) => [
      section.encoding,
      [byteBegin, byteEnd],
      [begin, count],
    ]);
  expect(cuts(2, 11)).toEqual([['bf16', [4, 22], [2, 9]]]);
  expect(cuts(82, 86)).toEqual([
    ['f32', [232, 240], [82, 2]],
    ['bf16', [240, 244], [84, 2]],
  ]);
  expect(cuts(81, 81)).toEqual([]);
  expect(() => cuts(10, 12)).toThrow('factors');
});

test('how far a vector has come, by its bytes and by its elements', () => {
  expect([0, 3, 4, 39, 40].map((byte) => elementsBefore(plainLayout(10), byte))).toEqual([0, 0, 1, 9, 10]);
  expect([0, 3, 10].map((element) => bytesBefore(plainLayout(10), element))).toEqual([0, 12, 40]);
  // The section after the product is there from its first element on; padding has none.
  const plain = withoutFactors(mixed);
  expect([2, 22, 24, 28, 36, 40, 44].map((byte) => elementsBefore(plain, byte))).toEqual([1, 11, 81, 82, 84, 86, 86]);
  const rounded = createWireLayout([
    { encoding: 'bf16', count: 5 },
    { encoding: 'f32', count: 3 },
  ]);
  expect([0, 4, 5, 6, 8].map((element) => bytesBefore(rounded, element))).toEqual([0, 8, 16, 20, 28]);
});
