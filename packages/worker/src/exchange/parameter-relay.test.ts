import { frameBytes, type StreamedPieces } from '@fourfold/rpc';
import { expect, test } from 'vitest';
import { createParameterRelay } from './parameter-relay.js';

const patienceMs = 120_000;
const bytes = new Uint8Array(2.5 * frameBytes).map((_, i) => i % 251);
const arrival = { term: 2, kind: 'generator', version: 7, bytes } as const;
const request = {
  kind: 'generator',
  secret: new Uint8Array(),
  term: 2,
  number: 7,
  begin: 0,
  silenceMs: patienceMs,
} as const;

function piecesOf(found: StreamedPieces | string, signal = new AbortController().signal) {
  if (typeof found === 'string') throw new Error(found);
  return found.pieces(signal)[Symbol.asyncIterator]();
}

function expectPiece({ value }: IteratorResult<{ begin: number; bytes: Uint8Array }>, begin: number): void {
  const piece = value as { begin: number; bytes: Uint8Array };
  expect(piece.begin).toBe(begin);
  expect(Buffer.compare(piece.bytes, bytes.subarray(begin, begin + frameBytes))).toBe(0);
}

test('what has arrived is passed on at once, and the rest as it arrives, also to who asks early', async () => {
  const relay = createParameterRelay(patienceMs);
  const early = piecesOf(relay.source(request));
  const first = early.next();
  const passing = relay.begin(arrival);
  passing.reached(frameBytes);
  expectPiece(await first, 0);
  const second = early.next();
  passing.reached(2 * frameBytes);
  // The coordinator may send all of it again.
  passing.reached(frameBytes);
  expect(passing.end()).toBe(2 * frameBytes);
  expectPiece(await second, frameBytes);
  passing.reached(bytes.byteLength);
  expectPiece(await early.next(), 2 * frameBytes);
  expect((await early.next()).done).toBe(true);
  const late = piecesOf(relay.source({ ...request, begin: frameBytes }));
  expectPiece(await late.next(), frameBytes);
  expect(relay.passedBytes()).toBe(bytes.byteLength);
});

test('a frame is passed on with the header with which it came, so that nobody computes its check again', async () => {
  const relay = createParameterRelay(patienceMs);
  const passing = relay.begin(arrival);
  const headers = [7, 8, 9].map((value) => new Uint8Array([value]));
  passing.reached(frameBytes, headers[0]);
  // By gRPC there is none.
  passing.reached(2 * frameBytes);
  passing.reached(bytes.byteLength, headers[2]);
  const passed: unknown[] = [];
  const found = relay.source(request) as StreamedPieces;
  for await (const { header } of found.pieces(new AbortController().signal)) passed.push(header);
  expect(passed).toEqual([headers[0], undefined, headers[2]]);
});

test('a version that has been replaced is passed on no more, nor one in another form', async () => {
  const relay = createParameterRelay(patienceMs);
  const passing = relay.begin(arrival);
  passing.reached(frameBytes);
  const pieces = piecesOf(relay.source(request));
  await pieces.next();
  const waiting = pieces.next();
  relay.begin({ ...arrival, version: 8 });
  await expect(waiting).rejects.toThrow('they no longer arrive');
  expect(relay.source(request)).toBe('gone');
  expect(relay.source({ ...request, kind: 'generatorDeltas', number: 8 })).toBe('gone');
  expect(relay.source({ ...request, number: 8, begin: 5 })).toBe('absent');
});

test('who asks for what does not begin to come, or comes no more, is sent away', async () => {
  await expect(piecesOf(createParameterRelay(20).source(request)).next()).rejects.toThrow('timeout');
  const relay = createParameterRelay(patienceMs);
  const passing = relay.begin(arrival);
  passing.reached(frameBytes);
  const pieces = piecesOf(relay.source(request));
  await pieces.next();
  const waiting = pieces.next();
  passing.failed();
  await expect(waiting).rejects.toThrow('they no longer arrive');
});

test.each([0, 1])('nothing waits for a worker that has left, after %i frames', async (frames) => {
  const relay = createParameterRelay(patienceMs);
  if (frames > 0) relay.begin(arrival).reached(frames * frameBytes);
  const left = new AbortController();
  const pieces = piecesOf(relay.source(request), left.signal);
  for (let taken = 0; taken < frames; taken++) await pieces.next();
  const waiting = pieces.next();
  left.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
});
