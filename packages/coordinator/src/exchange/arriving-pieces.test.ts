import { frameBytes, type StreamedPieces } from '@fourfold/rpc';
import { blockBytes, createDeltaLayout, plainLayout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { beginParameters } from '../updates/arriving-parameters.js';
import type { StagedUpdate } from '../updates/types.js';
import { arrivingPieces } from './arriving-pieces.js';

const frameElements = frameBytes / 4;
const length = 2.5 * frameElements;
const vector = Float32Array.from({ length }, (_, i) => i);
const deltas = createDeltaLayout({ parameterCount: 5 * frameBytes, statisticCount: 0 });

/** Parameters of which `reach` makes more, and what a worker has received of them. */
function begin(areDeltas = false, from = 0) {
  let reached = 0;
  let tell = () => undefined as void;
  const staged = { reached: () => reached } as StagedUpdate;
  const view = { vector, deltas: new Uint8Array(deltas.byteLength) };
  const copy = { vector, firstMoments: vector, secondMoments: vector, ...(areDeltas && { view }) };
  const update = beginParameters(3, copy, (onReached) => {
    tell = onReached;
    return staged;
  });
  const received: number[] = [];
  let isNewest = true;
  const found = arrivingPieces(update.parameters, {
    wires: { parameters: plainLayout(length), deltas },
    deltas: areDeltas,
    begin: from,
    isNewest: () => isNewest,
    count: (bytes) => received.push(bytes),
  });
  if (found === 'absent') throw new Error('absent');
  const next = pieceBy(found);
  return {
    ...{ update, next, received },
    reach: (element: number) => {
      reached = element;
      tell();
    },
    replace: () => (isNewest = false),
  };
}

/** Asks for the next piece: its first byte, `none` at the end, or the reason why there is no more. */
function pieceBy(found: StreamedPieces) {
  const iterator = found.pieces(new AbortController().signal)[Symbol.asyncIterator]();
  return () =>
    iterator.next().then(
      ({ done, value }) => (done ? 'none' : (value as { begin: number }).begin),
      (error: Error) => error.message,
    );
}

test('a worker gets each frame when it is there, and the last one when the update commits', async () => {
  const { update, next, reach, received } = begin();
  const first = next();
  reach(frameElements - 256);
  reach(frameElements + 256);
  expect(await first).toBe(0);
  const second = next();
  reach(length);
  expect(await second).toBe(frameBytes);
  let isLastThere = false;
  const last = next().finally(() => (isLastThere = true));
  reach(length);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isLastThere).toBe(false);
  update.end('committed');
  expect([await last, await next()]).toEqual([2 * frameBytes, 'none']);
  expect(received).toEqual([frameBytes, frameBytes, 0.5 * frameBytes]);
});

test('deltas are there by whole blocks', async () => {
  const { next, reach } = begin(true);
  const blocks = Math.ceil(frameBytes / blockBytes);
  let isThere = false;
  const first = next().finally(() => (isThere = true));
  reach((blocks - 1) * 256);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isThere).toBe(false);
  reach(blocks * 256);
  expect(await first).toBe(0);
});

test.each([
  ['an update that is dropped', 0],
  ['a newer version that has been committed since', 1],
])('%s ends it', async (_, isCommitted) => {
  const { update, next, reach, replace } = begin();
  reach(frameElements);
  expect(await next()).toBe(0);
  const second = next();
  if (isCommitted) replace();
  update.end(isCommitted ? 'committed' : 'dropped');
  expect(await second).toBe('these parameters are no longer there');
});

test('who asks from the middle of a frame on, or beyond the end, gets nothing', () => {
  for (const from of [5, 3 * frameBytes]) expect(() => begin(false, from)).toThrow('absent');
});
