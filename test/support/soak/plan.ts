import { permutation, randomStream } from '@fourfold/common';
import { faultKinds, groupOf, type FaultKind } from '../chaos/faults.js';

/** A fault of a soak, which strikes at its time whatever the run does. */
export interface TimedFault {
  atSeconds: number;
  kind: FaultKind | 'kill a kept worker';
  forMs: number;
  /** Chooses among those that it may strike. */
  pick: number;
}

/** It waits for an evaluation, whose time is not known. */
const untimed: FaultKind = 'a slow evaluation';
const durationMs = { least: 200, most: 5_000 };

/**
 * A fault every `everySeconds`, as a pure function of the seed, each kind equally often. Coordinators are struck only
 * in the middle third, and the first worker and the first data-loader are never killed, so that some parts of each role
 * live long.
 */
export function planSoak(seed: number, seconds: number, everySeconds: number): TimedFault[] {
  const random = randomStream('soak', seed);
  const times = Array.from({ length: Math.floor(seconds / everySeconds) - 1 }, (_, i) => (i + 1) * everySeconds);
  const calm = [...faultKinds.filter((kind) => kind !== untimed && groupOf(kind) !== 'coordinator')];
  const kinds = {
    calm: [...calm, 'kill a kept worker'] as const,
    rough: faultKinds.filter((kind) => kind !== untimed),
  };
  const queues: Record<keyof typeof kinds, TimedFault['kind'][]> = { calm: [], rough: [] };
  return times.map((atSeconds) => {
    const part = atSeconds > seconds / 3 && atSeconds < (2 * seconds) / 3 ? 'rough' : 'calm';
    const queue = queues[part];
    if (queue.length === 0)
      queue.push(...Array.from(permutation(kinds[part].length, random), (index) => kinds[part][index]));
    const forMs = Math.round(durationMs.least + random.float() ** 2 * (durationMs.most - durationMs.least));
    const kind = queue.pop() as TimedFault['kind'];
    // Of three workers or two data-loaders in order of birth, any but the first.
    const pick = kind.startsWith('kill') ? (1 + random.float()) / 2 : random.float();
    return { atSeconds, kind, forMs, pick };
  });
}
