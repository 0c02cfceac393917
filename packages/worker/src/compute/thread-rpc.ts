import type { MessagePort, Worker } from 'node:worker_threads';
import { FourfoldError, withDeadline, type ErrorCode } from '@fourfold/common/basics';

/*
 * Calls into a thread: answered one after another, in the order in which they were made. Errors keep their kind.
 */

type Methods = Record<string, (...args: never[]) => unknown>;

interface Call {
  id: number;
  method: string;
  args: unknown[];
}

type Answer =
  | { id: number; value: unknown }
  | { id: number; error: { code?: ErrorCode; hint?: string; message: string; stack?: string } };

/** The caller's side of a thread's methods: each returns a promise. */
export type Remote<M extends Methods> = {
  [K in keyof M]: (...args: Parameters<M[K]>) => Promise<Awaited<ReturnType<M[K]>>>;
};

/** Call a thread's methods. All open calls reject when the thread dies. */
export function callThread<M extends Methods>(thread: Worker): Remote<M> {
  const open = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let died: Error | undefined;
  const die = (error: Error) => {
    died ??= error;
    for (const { reject } of open.values()) reject(died);
    open.clear();
  };
  thread.on('error', (error: Error) => die(error));
  thread.on('exit', (code) => die(new Error(`the compute thread ended with code ${code}`)));
  thread.on('message', (answer: Answer) => {
    const call = open.get(answer.id);
    open.delete(answer.id);
    if ('value' in answer) call?.resolve(answer.value);
    else call?.reject(toError(answer.error));
  });
  return new Proxy({} as Remote<M>, {
    get:
      (_, method: string) =>
      (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          if (died) return reject(died);
          const call: Call = { id: ++calls, method, args };
          open.set(call.id, { resolve, reject });
          thread.postMessage(call);
        }),
  });
}

/**
 * End a thread, whatever it is doing; resolves with whether it has ended within `patienceMs`. JavaScript is interrupted; a native call
 * that hangs ends only with the process.
 */
export async function endThread(thread: Worker, patienceMs: number): Promise<boolean> {
  const ended = thread.terminate().then(() => true);
  return withDeadline(ended, patienceMs, () => false);
}

/** Answer calls in a thread, one at a time. */
export function answerCalls(port: MessagePort, methods: Methods): void {
  let last: Promise<void> = Promise.resolve();
  const answer = async ({ id, method, args }: Call) => {
    try {
      port.postMessage({ id, value: await (methods[method] as (...args: unknown[]) => unknown)(...args) });
    } catch (error) {
      port.postMessage({ id, error: fromError(error) });
    }
  };
  port.on('message', (call: Call) => {
    last = last.then(() => answer(call));
  });
}

function fromError(error: unknown) {
  if (!(error instanceof Error)) return { message: String(error) };
  return { message: error.message, stack: error.stack, ...(forUsers(error) ?? {}) };
}

/** Errors that a person can act on: ours, and a backend's when memory has run out. */
function forUsers(error: Error): { code: ErrorCode; hint?: string } | undefined {
  if (error instanceof FourfoldError) return { code: error.code, hint: error.options.hint };
  if (!('code' in error) || error.code !== 'OUT_OF_MEMORY') return undefined;
  return { code: 'no-space', hint: 'choose a smaller data.globalBatch or more data.replicas, or free the device' };
}

function toError({
  code,
  hint,
  message,
  stack,
}: {
  code?: ErrorCode;
  hint?: string;
  message: string;
  stack?: string;
}): Error {
  if (code) return new FourfoldError(code, message, { hint });
  return Object.assign(new Error(message), { stack });
}
