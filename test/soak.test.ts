import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { probeBackends } from '@fourfold/model';
import { discriminatorLayout, generatorLayout } from '@fourfold/weights';
import { startCluster, type Cluster } from './support/cluster.js';
import { killAll, photographs } from './support/process.js';
import { startKeptRun, type KeptRun } from './support/soak/kept.js';
import { planSoak } from './support/soak/plan.js';
import { runSoak } from './support/soak/run-soak.js';
import type { Sample } from './support/soak/sample.js';
import { describeVerdicts, verdictsOf } from './support/soak/verdict.js';
import { alertTiming } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * What a long run with faults holds is what a short one holds: memory, descriptors, threads, tensors. `npm run soak` makes it long;
 * here it is long enough to show that it goes and looks at everything, and too short for a verdict.
 */

const seconds = 60 * Number(process.env['FOURFOLD_SOAK_MINUTES'] ?? 0.2);
const everySeconds = Number(process.env['FOURFOLD_SOAK_EVERY'] ?? 3);
const seed = Number(process.env['FOURFOLD_SOAK_SEED'] ?? 1);
/** Shorter ones are all warm-up. */
const leastForVerdict = 600;
const counts = { seconds, workers: 3, loaders: 2 };
const [torch] = probeBackends();
const backend = lacks('torch', torch.found, torch.detail) ? 'wasm' : 'torch';
const minuteMs = 60_000;

const tensorsOf = {
  generator: generatorLayout({ channels: 24, blocks: 2 }).tensors.length,
  discriminator: discriminatorLayout({ channels: 16, head: 'dense', dense: 128 }, 48).tensors.length,
};
const mostTensors = 2 * tensorsOf.generator + tensorsOf.discriminator;
/** The demo's networks; a batch of four replicas gives three workers something to do. */
const config = `
recipe: demo
data: { replicas: 4 }
phases:
  - { kind: mse, iterations: 8, learningRate: 1.0e-3 }
  - { kind: gan, iterations: 1000000, learningRate: 1.0e-4 }
checkpoints: { every: 50, keep: 3 }
workers: { backend: ${backend}, threads: 1 }
validation: { images: ${join(photographs, 'held-out')}, every: 4, pictures: 1 }
timing: ${JSON.stringify({ ...alertTiming, leaseMs: 20_000, stragglerFactor: 3 })}
`;

describe.skipIf(lacks('servers', (['nats-server', 'minio'] as const).every(findProgram)))(
  'a soak (after npm run setup:servers)',
  () => {
    let cluster: Cluster;
    let kept: KeptRun;
    beforeAll(async () => {
      cluster = await startCluster({ config, name: 'soak', roundTripMs: 2 });
      kept = await startKeptRun();
    }, 2 * minuteMs);
    afterEach(killAll);
    afterAll(async () => {
      await cluster.stop();
      await kept.remove();
    });

    test(
      `${seconds} s, a fault each ${everySeconds} s, seed ${seed}: what processes hold is flat`,
      async () => {
        const faults = planSoak(seed, seconds, everySeconds);
        const report = await runSoak(cluster, kept, faults, counts, (line) => console.log(line));
        const verdicts = verdictsOf(report.samples, seconds);
        mkdirSync('out', { recursive: true });
        writeFileSync('out/soak.json', JSON.stringify({ seed, everySeconds, backend, verdicts, ...report }, null, 1));
        const { iterations, replaced, tensorsLeft } = report;
        if (seconds >= leastForVerdict) console.log(describeVerdicts(verdicts));
        console.log(JSON.stringify({ iterations, replaced, tensorsLeft }));
        expect(iterations).toBeGreaterThan(0);
        const roles = new Set(report.samples.map(({ role }) => role));
        expect([...roles].sort()).toEqual(
          ['coordinator', 'data-loader', 'keeper', 'kept coordinator', 'kept worker', 'worker'].sort(),
        );
        // However often a worker has left, no more than parameters, and a second generator where an evaluation was under way.
        expect(tensorsLeft.flat().length).toBeGreaterThanOrEqual(counts.workers - 1);
        expect(Math.max(...tensorsLeft.flat())).toBeLessThanOrEqual(mostTensors);
        if (seconds < leastForVerdict) return;
        // One of each role is judged by its own life or beside the later ones.
        const judged = new Set(verdicts.map(({ what }) => what.replace(/(:| \d).*/, '')));
        expect([...judged].sort()).toEqual([...roles].sort());
        expect(verdicts.filter(({ isFlat }) => !isFlat)).toEqual([]);
      },
      2 * seconds * 1000 + 10 * minuteMs,
    );
  },
);

describe('the verdict', () => {
  const sample = (name: string, atSeconds: number, ageSeconds: number, residentMib: number): Sample => ({
    role: name.split(' ')[0],
    name,
    atSeconds,
    ageSeconds,
    cpuSeconds: ageSeconds / 2,
    isWarm: true,
    residentMib,
    descriptors: 20,
    threads: 11,
  });
  /** One that lives for an hour, and is looked at each ten seconds. */
  const life = (residentMib: (ageSeconds: number) => number) =>
    Array.from({ length: 360 }, (_, i) => sample('worker 1', i * 10, i * 10, residentMib(i * 10)));
  const ofMemory = (samples: Sample[]) =>
    verdictsOf(samples, 3600)
      .filter(({ measure }) => measure === 'residentMib')
      .map(({ what, isFlat }) => ({ what, isFlat }));

  test('is flat for what rises while it starts and then goes up and down', () => {
    const samples = life((age) => 200 + Math.min(age, 150) + 30 * Math.sin(age / 100));
    expect(ofMemory(samples)).toEqual([{ what: 'worker 1', isFlat: true }]);
  });

  test('is flat for what meets a kind of work late, and holds more from then on', () => {
    const samples = life((age) => (age < 1200 ? 300 : 700)).map((each) => ({
      ...each,
      isWarm: each.ageSeconds >= 1200,
    }));
    expect(ofMemory(samples)).toEqual([{ what: 'worker 1', isFlat: true }]);
  });

  test('is that it grows where it does, slowly and with much noise', () => {
    const samples = life((age) => 200 + age / 60 + 30 * Math.sin(age / 100));
    expect(ofMemory(samples)).toEqual([{ what: 'worker 1', isFlat: false }]);
  });

  test('compares short lives that have done as much', () => {
    const lives = (lateMib: number) =>
      [0, 1, 2, 30, 31, 32].flatMap((i) =>
        Array.from({ length: 6 }, (_, k) =>
          sample(`worker ${i}`, i * 60 + k * 10, k * 10, 100 + 10 * k + (i >= 30 ? lateMib : 0)),
        ),
      );
    expect(ofMemory(lives(5))).toEqual([{ what: 'worker: late beside early ones', isFlat: true }]);
    expect(ofMemory(lives(40))).toEqual([{ what: 'worker: late beside early ones', isFlat: false }]);
  });
});
