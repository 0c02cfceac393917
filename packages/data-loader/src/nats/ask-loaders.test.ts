import { setMaxListeners } from 'node:events';
import { createLogger, createRepeats } from '@fourfold/common';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { askLoaders, type AskParts } from './ask-loaders.js';
import { encodeBatch, encodeRefusal, type Refusal } from './batch-message.js';
import { followLoaders } from './loader-directory.js';
import { batchProtocolVersion, batchSubjects, encodeMessage, type BatchPlace } from './protocol.js';

/*
 * Data-loaders that refuse, are busy or silent, on a clock that the test moves.
 */

const place = { iteration: 7, replica: 0 };
const shape = { count: 1, crop: 16 };
const batch = { ...shape, hr: new Uint8Array(16 * 16 * 3).fill(5), lr: new Uint8Array(4 * 4 * 3).fill(6) };
const subjects = batchSubjects('r', 'digest');
const announceMs = 1_000;
const lateMs = 2_000;
const log = createLogger('worker');
log.level = 'silent';

type Answer = 'batch' | Refusal['code'] | undefined;
type Callback = (error: null, message: { subject: string; data: Uint8Array }) => void;
const machine = (name: string) => name.repeat(32);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Data-loaders by name, each on the machine of its first letter; `answers` says what each answers at its nth request. */
function startLoaders(answers: Record<string, (times: number) => Answer>) {
  const asked: { loader: string; atMs: number }[] = [];
  const callbacks = new Map<string, Callback>();
  const beganMs = performance.now();
  const connection = {
    subscribe(subject: string, { callback }: { callback: Callback }) {
      callbacks.set(subject, callback);
      return { unsubscribe: () => callbacks.delete(subject) };
    },
    publish(subject: string, request: string, { reply }: { reply: string }) {
      const loader = subject.split('.').at(-2) ?? '';
      asked.push({ loader, atMs: performance.now() - beganMs });
      const answer = answers[loader](asked.filter((other) => other.loader === loader).length);
      if (answer === undefined) return;
      const about = JSON.parse(request) as BatchPlace;
      const refusal = { code: answer as Refusal['code'], message: `${answer} at ${loader}`, hint: 'what to do' };
      const data = answer === 'batch' ? encodeBatch(about, batch, 1 << 20)[0] : encodeRefusal(refusal);
      const inbox = `${reply.slice(0, reply.lastIndexOf('.'))}.*`;
      setTimeout(() => callbacks.get(inbox)?.(null, { subject: reply, data }), 1);
    },
  };
  const directory = followLoaders(connection as never, subjects, { replicas: 1, announceMs, avoidMs: 10_000, log });
  const announce = () => {
    for (const id of Object.keys(answers)) {
      const said = { version: batchProtocolVersion, id, draining: false, machine: machine(id[0]) };
      callbacks.get(subjects.anyLoaders)?.(null, { subject: subjects.loaders, data: Buffer.from(encodeMessage(said)) });
    }
  };
  announce();
  setInterval(announce, announceMs);
  const link = { whyDown: () => undefined, onReconnect: () => () => undefined, connection };
  const stats = { received: 0, bytes: 0, moved: 0, late: 0, refusedReplies: 0 };
  const repeats = createRepeats();
  const parts = { link, directory, subjects, shape, lateMs, stats, repeats, log } as unknown as AskParts;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  return { asked, stop, ask: (at: BatchPlace = place) => askLoaders(parts, at, [stop.signal]) };
}

/** The outcome of a request for a batch. */
async function outcome(loaders: ReturnType<typeof startLoaders>, withinMs: number) {
  const result = loaders.ask().then(
    () => 'a batch',
    (error: unknown) => error,
  );
  await vi.advanceTimersByTimeAsync(withinMs);
  loaders.stop.abort('nothing yet');
  return result;
}

describe('a data-loader that refuses', () => {
  const codes: Refusal['code'][] = ['failed', 'unavailable', 'refused', 'no-space', 'conflict', 'mismatch'];
  test.each<Refusal['code']>([...codes, 'invalid', 'not-found', 'corrupt'])('%s: another is asked', async (code) => {
    const loaders = startLoaders({ a: () => code, b: () => 'batch' });
    expect(await outcome(loaders, 1_000)).toBe('a batch');
  });

  test.each<Refusal['code']>(['invalid', 'not-found', 'corrupt'])('%s on two machines is the answer', async (code) => {
    const loaders = startLoaders({ a: () => code, b: () => code, c: () => 'batch' });
    // Whichever is asked first: only if both of them come before the third.
    const result = await outcome(loaders, 1_000);
    const before = loaders.asked.map(({ loader }) => loader);
    if (before.includes('c')) expect(result).toBe('a batch');
    else expect(result).toMatchObject({ code, options: { hint: 'what to do' } });
    const both = startLoaders({ a: () => code, b: () => code });
    expect(await outcome(both, 1_000)).toMatchObject({ code });
    expect(both.asked).toHaveLength(2);
  });

  test('the only one is asked again; the same refusal twice is the answer', async () => {
    const once = startLoaders({ a: (times) => (times === 1 ? 'corrupt' : 'batch') });
    expect(await outcome(once, 1_000)).toBe('a batch');
    const twice = startLoaders({ a: () => 'corrupt' });
    expect(await outcome(twice, 1_000)).toMatchObject({ code: 'corrupt', message: 'corrupt at a' });
    expect(twice.asked).toHaveLength(2);
  });

  test('one that says so and one that is silent: the silent one may have it', async () => {
    const loaders = startLoaders({ a: () => 'not-found', b: () => undefined });
    expect(await outcome(loaders, 60_000)).toBe('nothing yet');
    expect(loaders.asked.length).toBeLessThan(60);
  });

  test('all have their own trouble: five rounds with growing pauses, then the reason', async () => {
    const loaders = startLoaders({ a: () => 'no-space', b: () => 'failed' });
    expect(await outcome(loaders, 30_000)).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^(no-space at a|failed at b)$/) as string,
    });
    expect(loaders.asked).toHaveLength(9);
    const rounds = [0, 2, 4, 6, 8].map((i) => loaders.asked[i].atMs);
    const pauses = rounds.slice(1).map((at, i) => at - rounds[i]);
    for (const [i, pause] of pauses.entries()) expect(pause).toBeGreaterThanOrEqual(0.75 * 250 * 2 ** i);
  });
});

test('a busy data-loader is asked less and less often, however many batches wait', async () => {
  const loaders = startLoaders({ a: () => 'busy' });
  for (let iteration = 0; iteration < 50; iteration++) {
    loaders.ask({ iteration, replica: 0 }).catch(() => undefined);
  }
  await vi.advanceTimersByTimeAsync(60_000);
  const inLastTenSeconds = loaders.asked.filter(({ atMs }) => atMs > 50_000).length;
  // Every 100 ms each of them made 5,000.
  expect(inLastTenSeconds).toBeLessThanOrEqual(3 * 50);
  loaders.stop.abort('enough');
});

test('a busy data-loader that has made a batch is asked at once again', async () => {
  let isBusy = true;
  const loaders = startLoaders({ a: () => (isBusy ? 'busy' : 'batch') });
  const first = loaders.ask();
  await vi.advanceTimersByTimeAsync(20_000);
  isBusy = false;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(await first).toMatchObject(shape);
  const next = loaders.ask({ iteration: 8, replica: 0 });
  await vi.advanceTimersByTimeAsync(10);
  expect(await next).toMatchObject(shape);
});
