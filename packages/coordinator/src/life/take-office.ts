import {
  claimTerm,
  createTermGuard,
  type ObjectStore,
  type TermGuard,
  listCheckpoints,
  type CheckpointManifest,
  recordTermStart,
  startingPoint,
  readStartingDiscriminator,
  readStartingGenerator,
} from '@fourfold/store';
import type { Logger, Network, RunConfig } from '@fourfold/common';
import { createMaster, type Master } from '../updates/master.js';
import type { CheckpointStatus } from '../status/status.js';

/** The master state that a run starts with. */
export interface Start {
  master: Master;
  /** Of the checkpoint that it comes from, if any. */
  manifest?: CheckpointManifest;
  saved?: CheckpointStatus;
  /** The run's newest checkpoint when this was read, damaged or not. */
  newest?: string;
}

/** A term, and the state that it starts with. */
export interface TakenOffice extends Start {
  term: number;
  guard: TermGuard;
}

export interface StartOptions {
  run: ObjectStore;
  config: RunConfig;
  datasetSha256: string;
  resume: boolean;
  log: Logger;
}

/** Read what the run starts from. Throws as `startingPoint` and what reads starting networks do, and if shapes differ. */
export async function readStart({ run, config, datasetSha256, resume, log }: StartOptions): Promise<Start> {
  const newest = (await listCheckpoints(run)).at(-1);
  const found = await startingPoint(run, config, datasetSha256, resume, log);
  const master = createMaster(config);
  if (found) {
    const { name, manifest } = found;
    master.restore(found);
    return { master, manifest, newest, saved: { name, savedAtMs: Date.parse(manifest.createdAt) } };
  }
  const { startFrom, discriminatorFrom, store } = config;
  const place = (network: Network) => ({ store, layout: master.layout(network), log });
  if (startFrom !== undefined) {
    master.startFrom('generator', await readStartingGenerator(startFrom, place('generator')));
  }
  if (discriminatorFrom !== undefined) {
    master.startFrom('discriminator', await readStartingDiscriminator(discriminatorFrom, place('discriminator')));
  }
  return { master, newest };
}

/**
 * Claim the next term and begin it. `read` was read before the claim, so that a refused coordinator does not disturb a
 * running one; it counts if its checkpoint is still the newest, since the predecessor may have published meanwhile. The
 * checkpoint that the term resumes from is recorded before anything else; what older terms write beyond it does not
 * count.
 */
export async function takeOffice(options: StartOptions, read: Start, address: string): Promise<TakenOffice> {
  const { run, config, log } = options;
  const claimed = await claimTerm(run, address);
  const guard = createTermGuard(run, claimed, config.timing.silenceMs);
  let start = read;
  if ((await listCheckpoints(run)).at(-1) !== read.newest) {
    await read.master.close();
    start = await readStart(options);
  }
  const { term } = claimed;
  const { manifest, saved } = start;
  await recordTermStart(run, { term, from: saved?.name }, () => guard.check());
  if (manifest && saved) {
    log.info({ event: 'resumed', checkpoint: saved.name, iteration: manifest.iteration }, 'resumed');
  }
  return { term, guard, ...start };
}
