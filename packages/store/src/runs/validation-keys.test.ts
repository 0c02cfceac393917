import { expect, test } from 'vitest';
import { validationIteration, validationKey } from './validation-keys.js';

test('plain names stay as they are', () => {
  expect(validationKey('coffee.png', 'original')).toBe('validation/coffee.png/original.webp');
  expect(validationKey('coffee.png', 1750)).toBe('validation/coffee.png/00001750.webp');
});

test('other names give distinct plain path segments', () => {
  const names = [
    'a b.png',
    'a-b.png',
    'a/b.png',
    '../b.png',
    '..\\b.png',
    '<b>.png',
    '%2e%2e.png',
    `${'é'.repeat(300)}.png`,
  ];
  const keys = names.map((name) => validationKey(name, 'bicubic'));
  for (const key of keys) expect(key).toMatch(/^validation\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\/bicubic\.webp$/);
  expect(new Set(keys).size).toBe(names.length);
});

test('iterations are read back', () => {
  expect(validationIteration(validationKey('a.png', 123_456_789))).toBe(123_456_789);
  expect(validationIteration(validationKey('00000001.webp', 'original'))).toBeUndefined();
});
