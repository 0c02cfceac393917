import { createRepeats, type Logger } from '@fourfold/common';
import { tokenName } from '@fourfold/rpc';
import type { Effect } from './board-events.js';
import type { TaskFacts } from './board-state.js';

const rememberedLeases = 1000;

/** Logs the lease board's effects that a reader of the log wants to know. */
export function createLeaseLog(term: number, log: Logger) {
  /** `about` of the newest leases, by number: late answers are logged with it. */
  const past = new Map<number, TaskFacts['about']>();
  const repeats = createRepeats();

  return (effect: Effect<unknown>, aboutOf: (task: string) => TaskFacts['about']): void => {
    switch (effect.type) {
      case 'drop': {
        const { worker, reason, leases } = effect;
        log.warn({ event: 'worker-lost', worker, reason, leases }, 'worker lost');
        break;
      }
      case 'grant': {
        const { task, worker, token, because } = effect;
        const about = aboutOf(task);
        past.set(token.number, about);
        past.delete(token.number - rememberedLeases);
        log.debug({ event: 'lease', task, ...about, worker, token: tokenName(token), because }, 'lease');
        break;
      }
      case 'log-refused': {
        const { worker, token } = effect;
        const about = token.term === term ? past.get(token.number) : undefined;
        log.warn({ event: 'refused', ...about, worker, token: tokenName(token) }, 'late result refused');
        break;
      }
      case 'log-rejected': {
        const { task, worker, reason } = effect;
        const times = repeats(`${worker} ${reason}`);
        if (times) {
          log.warn({ event: 'rejected', task, ...aboutOf(task), worker, reason, times }, 'result rejected');
        }
        break;
      }
      default:
    }
  };
}
