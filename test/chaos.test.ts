import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, parse as parsePath } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { parse } from 'yaml';
import { faultKinds, moments, planFaults } from './support/chaos/faults.js';
import { begunFromNobodys, lineage, termLog, wholeSchedule } from './support/chaos/lineage.js';
import { runChaos } from './support/chaos/run-chaos.js';
import { clusterConfig } from './support/cluster-config.js';
import { startCluster, type Cluster } from './support/cluster.js';
import { pulledWeights, weightsOfOneWorker } from './support/final-weights.js';
import { killAll, photographs, type LogEvent } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * Promises 1 to 3 of the design at once: whatever is killed, frozen or cut off, the weights are those of an undisturbed run,
 * and no iteration is skipped or used twice. FOURFOLD_CHAOS_FAULTS, _SEED and _ONLY change the faults: `npm run chaos`.
 */

const only = process.env['FOURFOLD_CHAOS_ONLY'] ?? '';
const kinds = faultKinds.filter((kind) => kind.includes(only));
const faultCount = Number(process.env['FOURFOLD_CHAOS_FAULTS'] ?? kinds.length);
const seed = Number(process.env['FOURFOLD_CHAOS_SEED'] ?? 1);
const gapIterations = 6;
/** Iterations that pass while the last faults wait for one another, in gaps. */
const spareGaps = 10;
const third = Math.ceil(((faultCount + spareGaps) * gapIterations) / 3);
const training = clusterConfig([
  { kind: 'mse', iterations: third, learningRate: 1e-3 },
  { kind: 'gan', iterations: third, learningRate: 1e-4 },
  { kind: 'gan', iterations: third, learningRate: 1e-5 },
]);
const counts = { workers: 3, loaders: 2, iterations: 3 * third };
/**
 * A wait longer than this must have been reported: the first report comes after five seconds, each later one once the wait has
 * doubled. The rest is for a coordinator that gets little of a busy processor.
 */
const silentMs = 12_000;
const minuteMs = 60_000;
/** What a run's processes may log, at the default level. */
const logBytes = 10e6;
/** Number of validation pictures: an evaluation by a throttled worker takes longer than a lease. */
const validation = { pictures: 6, sidePixels: 160, every: 6 };

describe.skipIf(lacks('servers', (['nats-server', 'minio'] as const).every(findProgram)))(
  'chaos (after npm run setup:servers)',
  () => {
    let cluster: Cluster;
    let images: string;
    let config: string;
    beforeAll(async () => {
      images = await mkdtemp(join(tmpdir(), 'fourfold-chaos-'));
      await writeValidationPictures(images);
      config = `${training}\nvalidation: { images: ${images}, every: ${validation.every}, pictures: 0 }\n`;
      cluster = await startCluster({ config, name: 'chaos', roundTripMs: 2 });
    }, 2 * minuteMs);
    afterEach(killAll);
    afterAll(async () => {
      await cluster.stop();
      await rm(images, { recursive: true, force: true });
    });

    test(
      `${faultCount} faults, seed ${seed}: the weights of an undisturbed run, each iteration once`,
      async () => {
        const faults = planFaults(seed, faultCount, gapIterations, kinds);
        const reference = await weightsOfOneWorker(config);
        const report = await runChaos(cluster, faults, counts, (line) => console.log(line));
        console.log(JSON.stringify(report));
        const rounds = Math.floor(faultCount / kinds.length);
        for (const kind of kinds) expect(report.kinds[kind] ?? 0, kind).toBeGreaterThanOrEqual(rounds);
        // A long run has phases with two halves and checkpoints long enough for every moment.
        if (rounds >= 4)
          for (const moment of moments) expect(report.moments[moment] ?? 0, moment).toBeGreaterThanOrEqual(4);
        const final = await pulledWeights(cluster);
        const { generator, average, discriminator } = reference;
        expect(final).toMatchObject({ generator, average, discriminator });

        const terms = cluster.coordinators.flatMap(({ process }) => termLog(process.events) ?? []);
        const [iteration, term] = final.checkpoint.split('-').map(Number);
        const { phases } = parse(training) as { phases: { kind: string; iterations: number }[] };
        expect(lineage(terms, { iteration, term })).toEqual(wholeSchedule(phases));
        expect(begunFromNobodys(terms)).toEqual([]);
        expect(report.loggedBytes).toBeLessThan(logBytes);
        // A frozen one could not log anything.
        const awake = cluster.coordinators.filter(({ process }) => process.child.exitCode !== 1);
        for (const { process } of awake) expect(silentWaits(process.events)).toEqual([]);
      },
      (faultCount + 10) * minuteMs,
    );
  },
);

/** Middles of photographs that are not trained on. */
async function writeValidationPictures(folder: string): Promise<void> {
  const heldOut = join(photographs, 'held-out');
  const files = (await readdir(heldOut)).sort().slice(0, validation.pictures);
  for (const file of files) {
    const { sidePixels } = validation;
    const middle = await sharp(join(heldOut, file)).resize(sidePixels, sidePixels, { fit: 'cover' }).png().toBuffer();
    await writeFile(join(folder, `${parsePath(file).name}.png`), middle);
  }
}

/** Stretches of a coordinator's life without an update or a report of what it waits for, with its other messages. */
function silentWaits(events: readonly LogEvent[]): string[] {
  const telling = ['listening', 'update', 'waiting', 'store-waiting', 'worker-lost', 'worker-joined'];
  const words = events.filter(({ event }) => telling.includes(String(event)));
  return words.slice(1).flatMap((word, i) => {
    const gapMs = Number(word['time']) - Number(words[i]['time']);
    const between = events.slice(events.indexOf(words[i]), events.indexOf(word) + 1);
    const allowedMs = silentMs + Number(words[i]['waitedMs'] ?? 0);
    return gapMs > allowedMs ? [`${gapMs} ms: ${between.map((said) => JSON.stringify(said)).join(' ')}`] : [];
  });
}
