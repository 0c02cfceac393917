import { openStore } from '@fourfold/store';
import { beforeAll, describe, expect, test } from 'vitest';
import { createBatch, pairsOf, type Batch } from '../batches/batch.js';
import { cutPair } from '../batches/crop-pair.js';
import { readPicture, listPictures } from '@fourfold/imaging';
import { photographPath } from '../test-pictures.js';
import { createBatchReceiver, encodeBatch, encodeRefusal } from './batch-message.js';

const place = { iteration: 70_000, replica: 3 };
const shape = { count: 2, crop: 48 };
const bodyBytes = (2 * 48 * 48 * 3 * 17) / 16;
let batch: Batch;

beforeAll(async () => {
  const folder = openStore(photographPath('train'));
  const [name] = await listPictures(folder);
  const picture = await readPicture(folder, name);
  batch = createBatch(shape.count, shape.crop);
  pairsOf(batch).forEach((target, i) =>
    cutPair(picture, { left: 40 * i, top: 4, flip: false, quarterTurns: 0 }, { crop: 48, blurSigma: 0 }, target),
  );
});

const receiver = () => createBatchReceiver(place, shape);
function receive(messages: Uint8Array[]) {
  const { take } = receiver();
  return messages.map(take).at(-1);
}
/** The messages, one of them changed. */
const changed = (messages: Uint8Array[], index: number, change: (message: Uint8Array) => Uint8Array | void) =>
  messages.map((message, i) => (i === index ? (change(message) ?? message) : message));

describe('a batch over NATS', () => {
  test.each([
    ['one message', 1 << 20, 1],
    ['messages of 4 KiB', 4096, 4],
    ['messages that end between LR and HR', 32 + (2 * 48 * 48 * 3) / 16, 17],
    ['messages of one byte of pixels', 33, bodyBytes],
  ])('in %s', (_, maxPayloadBytes, count) => {
    const messages = encodeBatch(place, batch, maxPayloadBytes);
    expect(messages).toHaveLength(count);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(maxPayloadBytes);
    expect(receive(messages)).toEqual({ batch });
  });

  test('in one message is copied neither on its way out nor on its way in', () => {
    const [message] = encodeBatch(place, batch, 1 << 20);
    expect(message.buffer).toBe(batch.hr.buffer);
    const received = receive([message]);
    expect(received).toMatchObject({ batch: { count: 2, crop: 48 } });
    if (received && 'batch' in received) expect(received.batch.hr.buffer).toBe(message.buffer);
  });

  test('that is not in one buffer is copied', () => {
    const apart = { ...batch, hr: batch.hr.slice(), lr: batch.lr.slice() };
    expect(encodeBatch(place, apart, 1 << 20)).toEqual(encodeBatch(place, batch, 1 << 20));
  });

  test('from a piece of a larger buffer, as a socket gives it', () => {
    const messages = encodeBatch(place, batch, 5_000).map((message) =>
      new Uint8Array(Buffer.concat([Buffer.from('MSG'), message])).subarray(3),
    );
    expect(receive(messages)).toEqual({ batch });
  });

  test('a message that holds no pixels is refused by its sender', () => {
    expect(() => encodeBatch(place, batch, 32)).toThrow(/max_payload of 32 bytes/);
  });

  const flip = (at: number) => (message: Uint8Array) => void (message[at] ^= 1);
  test.each<[string, (messages: Uint8Array[]) => Uint8Array[], RegExp]>([
    ['an empty message', () => [new Uint8Array()], /not an answer/],
    ['other bytes', () => [Buffer.from('HTTP/1.1 200 OK')], /not an answer/],
    ['a header without a body', ([first]) => [first.subarray(0, 32)], /neither a batch nor/],
    ['a kind that does not exist', (all) => changed(all, 0, flip(2)), /neither a batch nor/],
    ['another version', (all) => changed(all, 0, flip(3)), /version 2, this program 3/],
    ['another iteration', () => encodeBatch({ ...place, iteration: 70_001 }, batch, 4096), /batch 70001\.3/],
    ['another replica', () => encodeBatch({ ...place, replica: 2 }, batch, 4096), /batch 70000\.2/],
    ['another number of crops', () => encodeBatch(place, { ...batch, count: 3 }, 4096), /3 crops of 48/],
    ['crops of another side', () => encodeBatch(place, { ...batch, crop: 64 }, 4096), /2 crops of 64/],
    ['a part twice', ([first]) => [first, first], /part 0 of 4 came instead of 1/],
    ['a part left out', ([first, , third]) => [first, third], /part 2 of 4 came instead of 1/],
    ['a part cut short', (all) => changed(all, 3, (last) => last.subarray(0, -1)), /ends after/],
    ['fewer bytes', () => encodeBatch(place, { ...batch, hr: batch.hr.subarray(1) }, 4096), /ends after/],
    ['more bytes', () => encodeBatch(place, { ...batch, hr: Buffer.concat([batch.hr, batch.lr]) }, 4096), /more than/],
    ['a flipped bit', (all) => changed(all, 2, flip(999)), /checksum/],
    [
      'a refusal that is not JSON',
      () => [encodeRefusal({ code: 'busy', message: 'x' }).subarray(0, -2)],
      /cannot be read/,
    ],
    [
      'a refusal of a code that does not exist',
      () => [encodeRefusal({ code: 'tired' as 'busy', message: '' })],
      /cannot/,
    ],
    [
      'a refusal without end',
      () => [Buffer.concat([encodeRefusal({ code: 'busy', message: '' }), Buffer.alloc(5000)])],
      /too long/,
    ],
  ])('%s is refused with the reason', (_, make, reason) => {
    const messages = make(encodeBatch(place, batch, 4096));
    expect(() => receive(messages)).toThrow(reason);
  });

  test('after a refused message the whole may still come', () => {
    const { take } = receiver();
    const messages = encodeBatch(place, batch, 4096);
    take(messages[0]);
    expect(() => take(Buffer.from('garbage'))).toThrow();
    expect(messages.map(take).at(-1)).toEqual({ batch });
  });

  test('refusals keep their code and hint', () => {
    const refusal = { code: 'corrupt' as const, message: 'shard-000000.tar is damaged', hint: 'restore it' };
    expect(receive([encodeRefusal(refusal)])).toEqual({ refusal });
    const long = receive([encodeRefusal({ code: 'failed', message: 'x'.repeat(100_000) })]);
    expect(long).toMatchObject({ refusal: { code: 'failed' } });
  });
});
