// Runs the chaos test for longer than CI does: npm run chaos -- --minutes 30 [--seed 2].
import { parseArgs } from 'node:util';
import { runTest } from './run-test.mjs';

/** Time per fault, including its consequences, on two cores. */
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
join and leave, the network slows and breaks, machines lack pictures or disk space or cannot be reached, and the store refuses or ignores
requests. The seed decides the order of the faults; --only selects those whose names contain TEXT. Then compares the weights with
those of an undisturbed run. Needs npm run setup:servers.`);
  process.exit(values.help ? 0 : 2);
}
process.exitCode = await runTest('test/chaos.test.ts', {
  FOURFOLD_CHAOS_FAULTS: String(faults),
  FOURFOLD_CHAOS_SEED: String(seed),
  FOURFOLD_CHAOS_ONLY: values.only,
});
