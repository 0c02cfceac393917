import { EventEmitter, once } from 'node:events';
import type { StagedUpdate, StateCopy } from './types.js';

/** A network's next parameters, while an update makes them. */
export interface ArrivingParameters {
  readonly version: number;
  /** Where the update writes. */
  readonly copy: StateCopy;
  /** The parameters before this element are there. */
  reached(): number;
  /** `committed`: all of them are there. `dropped`: they will never be. */
  fate(): 'open' | 'committed' | 'dropped';
  /** Resolves when more is there, or the fate is decided. Rejects with the signal's reason. */
  changed(signal: AbortSignal): Promise<void>;
}

/** An update of a network that has begun. */
export interface BegunUpdate {
  readonly parameters: ArrivingParameters;
  readonly staged: StagedUpdate;
  end(fate: 'committed' | 'dropped'): void;
}

/** `begin` begins to write the copy, and says when more is there. */
export function beginParameters(
  version: number,
  copy: StateCopy,
  begin: (onReached: () => void) => StagedUpdate,
): BegunUpdate {
  const changes = new EventEmitter().setMaxListeners(0);
  const change = () => void changes.emit('change');
  const staged = begin(change);
  let fate: ReturnType<ArrivingParameters['fate']> = 'open';
  return {
    staged,
    parameters: {
      version,
      copy,
      reached: staged.reached,
      fate: () => fate,
      async changed(signal) {
        await once(changes, 'change', { signal }).catch(() => undefined);
        signal.throwIfAborted();
      },
    },
    end(decided) {
      fate = decided;
      change();
    },
  };
}
