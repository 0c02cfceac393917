import { Worker } from 'node:worker_threads';
import { describeError } from '@fourfold/common';
import type { ReceiveAnswer, ReceiveTask } from './receive-thread.js';

export type ReceiveThread = ReturnType<typeof startReceiveThread>;
/** A message about one transfer, whose number this file knows. */
type Numbered<Message> = Message extends { id: number } ? Omit<Message, 'id'> : never;

/** Start the thread. If it dies, all transfers are over with a failure without a code: it is this process's fault. */
export function startReceiveThread() {
  const worker = new Worker(new URL('../../dist/stream/receive-thread.js', import.meta.url));
  // Only transfers keep a process alive.
  worker.unref();
  const transfers = new Map<number, Queue<ReceiveAnswer>>();
  let transferCount = 0;
  let died: string | undefined;
  const take = (answer: ReceiveAnswer) => {
    transfers.get(answer.id)?.push(answer);
    if (answer.type === 'over') transfers.delete(answer.id);
    if (transfers.size === 0) worker.unref();
  };
  const die = (reason: string) => {
    died ??= reason;
    for (const id of transfers.keys()) take(deadAnswer(id, died));
  };
  worker.on('error', (error) => die(describeError(error)));
  worker.on('exit', (code) => die(`code ${code}`));
  worker.on('message', take);
  const post = (task: ReceiveTask) => worker.postMessage(task);
  return {
    post,
    begin(task: Omit<Numbered<ReceiveTask & { type: 'receive' }>, 'type'>) {
      const id = ++transferCount;
      const events = createQueue<ReceiveAnswer>();
      transfers.set(id, events);
      worker.ref();
      if (died === undefined) post({ type: 'receive', id, ...task });
      else take(deadAnswer(id, died));
      return { events, send: (about: Numbered<ReceiveTask>) => post({ ...about, id }) };
    },
    terminate: () => worker.terminate(),
  };
}

const deadAnswer = (id: number, reason: string): ReceiveAnswer => ({
  type: 'over',
  id,
  failure: { message: `the thread that receives it ended (${reason})`, isUnanswered: false },
});

/** Values that one side pushes and the other takes, one at a time. */
interface Queue<T> {
  push(value: T): void;
  next(): Promise<T>;
}

function createQueue<T>(): Queue<T> {
  const values: T[] = [];
  let taker: ((value: T) => void) | undefined;
  return {
    push(value) {
      if (!taker) return void values.push(value);
      taker(value);
      taker = undefined;
    },
    next: () =>
      values.length > 0
        ? Promise.resolve(values.shift() as T)
        : new Promise((resolve) => {
            taker = resolve;
          }),
  };
}
