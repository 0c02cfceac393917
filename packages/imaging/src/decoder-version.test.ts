import { expect, test } from 'vitest';
import { decodersOf, decoderVersion } from './decoder-version.js';

test('lists the libraries that decide pixels, and nothing else', async () => {
  const versions = { vips: '8.18.7', mozjpeg: '0826579', lcms: '2.19.1', pango: '1.58.2', sharp: '0.35.5' };
  expect(decodersOf(versions)).toBe('vips 8.18.7, mozjpeg 0826579, lcms 2.19.1');
  expect(decodersOf({ ...versions, pango: '2', sharp: '1', node: '24.0.0' })).toBe(decodersOf(versions));
  expect(decodersOf({ vips: '8.15.1' })).toBe('vips 8.15.1');
  expect(await decoderVersion()).toMatch(/^vips \d+\.\d+\.\d+/);
});
