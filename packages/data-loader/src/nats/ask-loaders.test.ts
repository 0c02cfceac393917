import { createLogger } from '@fourfold/common';
import { describe, expect, test } from 'vitest';
import { askLoaders, type AskParts } from './ask-loaders.js';
import { encodeBatch, encodeRefusal, type Refusal } from './batch-message.js';
import { batchSubjects } from './protocol.js';

const place = { iteration: 7, replica: 0 };
const shape = { count: 1, crop: 16 };
const batch = { ...shape, hr: new Uint8Array(16 * 16 * 3).fill(5), lr: new Uint8Array(4 * 4 * 3).fill(6) };

/** Ask two data-loaders: the first refuses, the second has the batch. */
function ask(code: Refusal['code']) {
  const asked: string[] = [];
  const avoided: string[] = [];
  let answer: (error: null, message: object) => void = () => undefined;
  const answers: Record<string, Uint8Array> = {
    first: encodeRefusal({ code, message: 'why', mend: 'what to do' }),
    second: encodeBatch(place, batch, 1 << 20)[0],
  };
  const parts = {
    link: {
      whyDown: () => undefined,
      onReconnect: () => () => undefined,
      connection: {
        subscribe(_: string, { callback }: { callback: typeof answer }) {
          answer = callback;
          return { unsubscribe: () => undefined };
        },
        publish(subject: string, _: Uint8Array, { reply }: { reply: string }) {
          const loader = subject.split('.').at(-2) ?? '';
          asked.push(loader);
          setImmediate(() => answer(null, { subject: reply, data: answers[loader] }));
        },
      },
    },
    directory: {
      inOrder: () => ['first', 'second'],
      heard: () => undefined,
      avoid: (loader: string) => avoided.push(loader),
    },
    subjects: batchSubjects('r', 'digest'),
    shape,
    lateMs: 10_000,
    stats: { received: 0, bytes: 0, moved: 0, late: 0, refusedReplies: 0 },
    log: createLogger('worker'),
  } as unknown as AskParts;
  return { asked, avoided, answer: askLoaders(parts, place, []) };
}

describe('a data-loader that refuses', () => {
  test.each<Refusal['code']>(['failed', 'unavailable', 'refused', 'no-space', 'conflict', 'mismatch'])(
    '%s: of itself; another is asked',
    async (code) => {
      const { asked, avoided, answer } = ask(code);
      expect(await answer).toEqual(batch);
      expect([asked, avoided]).toEqual([['first', 'second'], ['first']]);
    },
  );

  test.each<Refusal['code']>(['invalid', 'not-found', 'corrupt'])(
    '%s: of the batch; that is the answer',
    async (code) => {
      const { asked, answer } = ask(code);
      await expect(answer).rejects.toMatchObject({ code, message: 'why', options: { mend: 'what to do' } });
      expect(asked).toEqual(['first']);
    },
  );
});
