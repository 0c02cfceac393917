import { expect, test } from 'vitest';
import { createShardWriter } from './shard-writer.js';

test('a shard of more pixels than memory holds is refused, before it is packed', async () => {
  const written: string[] = [];
  const put = (key: string) => Promise.resolve(void written.push(key));
  const writer = createShardWriter({ put }, { shardSizeBytes: 2 ** 25, shards: [], onShard: () => Promise.resolve() });
  // One flat picture of a gigabyte for all: its memory is never touched.
  const [width, height] = [20_480, 17_000];
  const place = { left: 0, top: 0, width, height };
  const picture = { data: new Uint8Array(width * height * 3), width, height };
  const lr = { data: new Uint8Array(0), width: 0, height: 0 };
  const sample = {
    extension: 'png' as const,
    bytes: new Uint8Array(1000),
    info: { source: 'flat.png', place, core: place },
    pixels: { hr: picture, lr },
  };
  await writer.add(sample);
  await expect(writer.add(sample)).rejects.toMatchObject({
    code: 'invalid',
    message: 'shard-000000.tar: its 2 pictures compress so well that it would hold more than 1 GiB of pixels',
    options: { hint: 'use --encoding keep, or leave flat pictures out' },
  });
  expect(written).toEqual([]);
});
