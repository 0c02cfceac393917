import { permutation, randomStream } from '@fourfold/common';

/**
 * What may happen to a cluster, and what it strikes: faults that strike the same thing come one after the other, all
 * others independently.
 */
const struckBy = {
  'kill a worker': 'worker',
  'freeze a worker': 'worker',
  'join a worker': 'worker',
  'kill a data-loader': 'data-loader',
  'freeze a data-loader': 'data-loader',
  'kill the coordinator': 'coordinator',
  'freeze the coordinator': 'coordinator',
  'kill nats-server': 'nats-server',
  'freeze nats-server': 'nats-server',
  'kill MinIO': 'MinIO',
  'freeze MinIO': 'MinIO',
  'slow and broken network': 'network',
  'no validation pictures on a machine': 'a machine without pictures',
  'an unreadable shard on a machine': 'a machine without shards',
  'a full cache disk on a machine': 'a machine with a full disk',
  'an address that cannot be reached': 'a machine out of reach',
  'a slow evaluation': 'worker',
  'no right to delete objects': 'deletion',
  'an S3 that ignores conditions': 'coordinator',
  'a predecessor that publishes during the takeover': 'coordinator',
} as const;
export type FaultKind = keyof typeof struckBy;
export const faultKinds = Object.keys(struckBy) as FaultKind[];

/** What a fault strikes. */
export const groupOf = (kind: FaultKind): string => struckBy[kind];

/** When a fault strikes: at once, or when the coordinator's log shows this moment. */
export const moments = ['at once', 'gradients are pulled', 'between the halves', 'a checkpoint is written'] as const;
export type Moment = (typeof moments)[number];

export interface Fault {
  /** The generator's update after which it strikes. */
  iteration: number;
  kind: FaultKind;
  moment: Moment;
  /** How long something is away, frozen or slow. */
  forMs: number;
  /** Chooses among those that it may strike, in [0, 1). */
  pick: number;
}

/** Long enough for a frozen worker to lose its seat, short enough for a minute to hold many. */
const durationMs = { least: 200, most: 5_000 };

/**
 * Plan faults of these kinds as a pure function of the seed: `gap` iterations apart, each kind equally often, each
 * moment in turn.
 */
export function planFaults(seed: number, count: number, gap: number, kinds = faultKinds): Fault[] {
  const random = randomStream('chaos', seed);
  const faults: Fault[] = [];
  while (faults.length < count) {
    for (const index of permutation(kinds.length, random)) {
      const round = Math.floor(faults.length / kinds.length);
      faults.push({
        iteration: (faults.length + 1) * gap,
        kind: kinds[index],
        moment: moments[(index + round) % moments.length],
        forMs: Math.round(durationMs.least + random.float() ** 2 * (durationMs.most - durationMs.least)),
        pick: random.float(),
      });
    }
  }
  return faults.slice(0, count);
}
