// The chaos test for longer than CI runs it: npm run chaos -- --minutes 30 [--seed 2].
import { parseArgs } from 'node:util';
import { runTest } from './run-test.mjs';

/** What a fault takes, with what it leads to, on two cores. */
const secondsAFault = 6;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    faults: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', short: 'h' },
  },
});
const faults = Number(values.faults ?? Math.ceil((Number(values.minutes) * 60) / secondsAFault));
const seed = Number(values.seed);
if (values.help || !Number.isInteger(faults) || faults < 1 || !Number.isInteger(seed)) {
  console.log(`npm run chaos -- [--minutes N | --faults N] [--seed S] [--only TEXT]

Trains a small run on real servers while workers, data-loaders, the coordinator, nats-server and MinIO are killed and frozen, workers
join and leave, the network slows and breaks, machines have no pictures, no disk or no way to be reached, and the store refuses or ignores
what it is asked: so many faults, in an order that the seed decides, with --only those whose names hold a text. Then compares the
weights with those of an undisturbed run. Needs npm run setup:servers.`);
  process.exit(values.help ? 0 : 2);
}
process.exitCode = await runTest('test/chaos.test.ts', {
  FOURFOLD_CHAOS_FAULTS: String(faults),
  FOURFOLD_CHAOS_SEED: String(seed),
  FOURFOLD_CHAOS_ONLY: values.only,
});
