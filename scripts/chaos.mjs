// The chaos test for longer than CI runs it: npm run chaos -- --minutes 30 [--seed 2].
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

/** What a fault takes, with what it leads to, on two cores. */
const secondsAFault = 6;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    faults: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h' },
  },
});
const faults = Number(values.faults ?? Math.ceil((Number(values.minutes) * 60) / secondsAFault));
const seed = Number(values.seed);
if (values.help || !Number.isInteger(faults) || faults < 1 || !Number.isInteger(seed)) {
  console.log(`npm run chaos -- [--minutes N | --faults N] [--seed S]

Trains a small run on real servers while workers, data-loaders, the coordinator, nats-server and MinIO are killed and frozen, workers
join and leave, and the network slows and breaks: so many faults, in an order that the seed decides. Then compares the weights
with those of an undisturbed run. Needs npm run setup:servers.`);
  process.exit(values.help ? 0 : 2);
}
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'processes', 'test/chaos.test.ts'];
const environment = { FOURFOLD_CHAOS_FAULTS: String(faults), FOURFOLD_CHAOS_SEED: String(seed) };
const { status } = spawnSync(process.execPath, [...vitest, '--disable-console-intercept'], {
  stdio: 'inherit',
  env: { ...process.env, ...environment },
});
process.exit(status ?? 1);
