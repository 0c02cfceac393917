import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { endWithStatus, type RunStatus } from '@fourfold/rpc';

const watchIntervalMs = 250;
const maxWatchers = 100;

/** The parts of a call that watching needs. */
export type WatchCall = Pick<ServerWritableStream<unknown, RunStatus>, 'write' | 'writableNeedDrain' | 'on' | 'emit'>;

/**
 * The handler of `Watch`: the run's state at once, then whenever it has changed. A watcher that does not read misses
 * states, since only the newest matters, and takes no memory.
 */
export function createWatch(now: () => RunStatus) {
  let watchers = 0;
  return (call: WatchCall): void => {
    if (watchers >= maxWatchers) {
      endWithStatus(call, status.RESOURCE_EXHAUSTED, `${maxWatchers} watchers are already connected`);
      return;
    }
    watchers++;
    let last = '';
    const send = () => {
      if (call.writableNeedDrain) return;
      const state = now();
      const text = JSON.stringify(state);
      if (text !== last) call.write(state);
      last = text;
    };
    const timer = setInterval(send, watchIntervalMs);
    let isOver = false;
    const stop = () => {
      clearInterval(timer);
      if (!isOver) watchers--;
      isOver = true;
    };
    for (const event of ['cancelled', 'error', 'close']) call.on(event, stop);
    send();
  };
}
