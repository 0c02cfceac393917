import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { highestPsnr } from '@fourfold/common';
import { luma, psnrY, ssimY } from './metrics.js';
import { decodeSafetensors, type NamedArray } from '@fourfold/weights';

const file = fileURLToPath(new URL('../../../test/reference/metrics.safetensors', import.meta.url));
const reference = new Map(decodeSafetensors(readFileSync(file), file).tensors.map((tensor) => [tensor.name, tensor]));
const arrayOf = (name: string) => reference.get(name) as NamedArray;
const [a, b] = ['a', 'b'].map((name) => Uint8Array.from(arrayOf(name).data));
const [height, width] = arrayOf('a').shape;

test('PSNR and SSIM equal scikit-image’s', () => {
  expect(Math.abs(psnrY(a, b, width, height) - arrayOf('psnr').data[0])).toBeLessThan(1e-3);
  expect(Math.abs(ssimY(a, b, width, height) - arrayOf('ssim').data[0])).toBeLessThan(1e-4);
});

test('identical pictures have the highest PSNR reported, which can be averaged', () => {
  expect(psnrY(a, a, width, height)).toBe(highestPsnr);
  const black = new Uint8Array(3 * 20 * 20);
  expect(psnrY(black, black, 20, 20)).toBe(highestPsnr);
  expect(ssimY(black, black, 20, 20)).toBe(1);
  expect(ssimY(a, a, width, height)).toBeCloseTo(1, 12);
});

test('Y ranges from 16 to 235', () => {
  expect([...luma(Uint8Array.of(0, 0, 0, 255, 255, 255))]).toEqual([16, 235]);
});

test('the border is ignored', () => {
  const framed = Uint8Array.from(a);
  for (let at = 0; at < framed.length; at++) {
    const [row, column] = [Math.floor(at / 3 / width), Math.floor(at / 3) % width];
    if (Math.min(row, column, height - 1 - row, width - 1 - column) < 4) framed[at] = 0;
  }
  expect(psnrY(a, framed, width, height)).toBe(highestPsnr);
});
