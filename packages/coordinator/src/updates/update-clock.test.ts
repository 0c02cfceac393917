import { beforeEach, expect, test } from 'vitest';
import { plainLayout } from '@fourfold/weights';
import type { GradientPiece } from '../exchange/gradient-pieces.js';
import { createUpdateClock, type UpdateClock } from './update-clock.js';
import type { Updater } from './types.js';

let nowMs: number;
let clock: UpdateClock;
beforeEach(() => {
  nowMs = 1_000;
  clock = createUpdateClock(() => nowMs);
});

/** Something that ends on request. */
function task(): { done: Promise<void>; end: () => Promise<void> } {
  let end = () => {};
  const done = new Promise<void>((resolve) => (end = resolve));
  return {
    done,
    async end() {
      end();
      await done;
      // Let its awaiter continue.
      await new Promise(setImmediate);
    },
  };
}

test('of concurrent parts the first counts, and they add up', async () => {
  nowMs += 5_000;
  clock.begin();
  nowMs += 100;
  const transfer = task();
  const transferred = clock.during('transferring', () => transfer.done);
  nowMs += 200;
  const reduction = task();
  const reduced = clock.during('reducing', () => reduction.done);
  nowMs += 400;
  await reduction.end();
  nowMs += 800;
  await transfer.end();
  await Promise.all([transferred, reduced]);
  nowMs += 1_600;
  await clock.during('applying', () => void (nowMs += 3_200));
  expect(clock.end()).toEqual({ waiting: 1.7, transferring: 1, reducing: 0.4, applying: 3.2 });

  nowMs += 10_000;
  clock.begin();
  nowMs += 50;
  expect(clock.end()).toEqual({ waiting: 0.05, transferring: 0, reducing: 0, applying: 0 });
});

test('a part that fails is over, and fails', async () => {
  clock.begin();
  await expect(clock.during('reducing', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  nowMs += 100;
  expect(clock.end().waiting).toBe(0.1);
});

test('pieces pass the clock unchanged: waiting for them is transfer, using them is not', async () => {
  const pieces: GradientPiece[] = [0, 1].map((begin) => ({
    begin: begin * 4,
    byteLength: 4,
    bytes: new Uint8Array(4),
  }));
  let closed = 0;
  const source = async function* () {
    try {
      for (const piece of pieces) {
        nowMs += 100;
        yield piece;
      }
      nowMs += 1_000;
    } finally {
      closed++;
    }
  };
  const options = { begin: 0, layout: plainLayout(2), silenceMs: 1, signal: new AbortController().signal };
  clock.begin();
  const taken: GradientPiece[] = [];
  for await (const piece of clock.transfers(source)(options)) {
    taken.push(piece);
    nowMs += 10;
  }
  expect(taken).toEqual(pieces);
  expect(clock.end()).toMatchObject({ transferring: 1.2, waiting: 0.02 });

  for await (const piece of clock.transfers(source)(options)) if (piece) break;
  expect(closed).toBe(2);
});

test('time in the arithmetic is reduction', async () => {
  const updater = {
    accumulate() {
      nowMs += 100;
      return false;
    },
    async accumulateShared() {
      nowMs += 200;
      return { added: 7 };
    },
    async accumulateFactors() {
      nowMs += 400;
      return { added: 8 };
    },
  } as unknown as Updater;
  const timed = clock.reductions(updater);
  clock.begin();
  const [state, range] = [{}, {}] as never[];
  expect(timed.accumulate(state, 0, new Uint8Array(), true)).toBe(false);
  expect(await timed.accumulateShared(state, range, 0)).toEqual({ added: 7 });
  expect(await timed.accumulateFactors(state, 0, () => undefined, true)).toEqual({ added: 8 });
  expect(clock.end()).toMatchObject({ reducing: 0.7, waiting: 0 });
});
