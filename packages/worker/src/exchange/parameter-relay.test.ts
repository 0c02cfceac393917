import { frameBytes, type StreamedPieces } from '@fourfold/rpc';
import { expect, test } from 'vitest';
import { createParameterRelay } from './parameter-relay.js';

const patienceMs = 120_000;
const bytes = new Uint8Array(2.5 * frameBytes).map((_, i) => i % 251);
const arrival = { term: 2, kind: 'generator', version: 7, bytes } as const;
const request = { kind: 'generator', secret: new Uint8Array(), term: 2, number: 7, begin: 0 } as const;

function piecesOf(found: StreamedPieces | string, signal = new AbortController().signal) {
  if (typeof found === 'string') throw new Error(found);
  return found.pieces(signal)[Symbol.asyncIterator]();
}

test('what has arrived is passed on at once, and the rest as it arrives, also to who asks early', async () => {
  const relay = createParameterRelay(patienceMs);
  const early = piecesOf(relay.source(request));
  const first = early.next();
  const passing = relay.begin(arrival);
  passing.reached(frameBytes);
  expect(await first).toEqual({ done: false, value: { begin: 0, bytes: bytes.subarray(0, frameBytes) } });
  const second = early.next();
  passing.reached(2 * frameBytes);
  // The coordinator may send all of it again.
  passing.reached(frameBytes);
  expect(passing.end()).toBe(2 * frameBytes);
  expect((await second).value).toMatchObject({ begin: frameBytes });
  passing.reached(bytes.byteLength);
  expect((await early.next()).value).toEqual({ begin: 2 * frameBytes, bytes: bytes.subarray(2 * frameBytes) });
  expect((await early.next()).done).toBe(true);
  const late = piecesOf(relay.source({ ...request, begin: frameBytes }));
  expect((await late.next()).value).toEqual({ begin: frameBytes, bytes: bytes.subarray(frameBytes, 2 * frameBytes) });
  expect(relay.passedBytes()).toBe(bytes.byteLength);
});

test('a version that has been replaced is passed on no more, nor one in another form', async () => {
  const relay = createParameterRelay(patienceMs);
  const passing = relay.begin(arrival);
  passing.reached(frameBytes);
  const pieces = piecesOf(relay.source(request));
  await pieces.next();
  const waiting = pieces.next();
  relay.begin({ ...arrival, version: 8 });
  await expect(waiting).rejects.toThrow('newer parameters');
  expect(relay.source(request)).toBe('gone');
  expect(relay.source({ ...request, kind: 'generatorDeltas', number: 8 })).toBe('gone');
  expect(relay.source({ ...request, number: 8, begin: 5 })).toBe('absent');
});

test('who asks for what does not come is sent away', async () => {
  const relay = createParameterRelay(20);
  await expect(piecesOf(relay.source(request)).next()).rejects.toThrow('no parameters have arrived for 20 ms');
  const left = new AbortController();
  left.abort(new Error('left'));
  await expect(piecesOf(relay.source(request), left.signal).next()).rejects.toThrow('left');
});
