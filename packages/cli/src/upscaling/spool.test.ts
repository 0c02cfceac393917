import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSpool } from './spool.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-spool-'));
});
afterEach(() => rm(folder, { recursive: true }));

const width = 10;
const carrierOf = async () => {
  const colour = { width: 1, height: 1, channels: 3 as const, background: 'red' };
  const bytes = await sharp({ create: colour }).withIccProfile('p3').withMetadata({ orientation: 6 }).png().toBuffer();
  return sharp(bytes).keepIccProfile().keepExif();
};

test.each([
  // Ten rows a piece: whole pieces, a short last one, and less than one.
  ...[20, 25, 7].map((height) => ({ channels: 3 as const, height, pieces: Math.ceil(height / 10) })),
  { channels: 4 as const, height: 25, pieces: 4 },
])('$height rows of $channels channels come back from $pieces pieces', async ({ channels, height, pieces }) => {
  const pixels = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 37) % 251);
  const spool = createSpool(folder, await carrierOf(), { width, height, channels }, 300);
  for (const [begin, end] of [
    [0, 3],
    [3, 16],
    [16, height],
  ]) {
    await spool.write(pixels.subarray(begin * width * channels, end * width * channels));
  }
  const encoded = await (await spool.picture()).png().toBuffer();
  expect(await readdir(folder)).toHaveLength(pieces);
  const { icc, orientation } = await sharp(encoded).metadata();
  expect([icc?.length, orientation]).toEqual([expect.any(Number), 6]);
  const { data, info } = await sharp(encoded, { ignoreIcc: true }).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, channels]);
  expect(Buffer.compare(data, pixels)).toBe(0);
});
