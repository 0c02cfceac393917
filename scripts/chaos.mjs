// The chaos test for longer than CI runs it: npm run chaos -- --minutes 30 [--seed 2].
import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runChild } from './child-processes.mjs';

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
const reportPath = 'out/chaos-report.json';
rmSync(reportPath, { force: true });
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
// Of whichever of vitest's projects it belongs to.
const vitest = [
  'node_modules/vitest/vitest.mjs',
  'run',
  'test/chaos.test.ts',
  ...reporters,
  '--disable-console-intercept',
];
const { code } = await runChild(process.execPath, vitest, {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    ...process.env,
    FOURFOLD_CHAOS_FAULTS: String(faults),
    FOURFOLD_CHAOS_SEED: String(seed),
    FOURFOLD_CHAOS_ONLY: values.only,
  },
});
process.exitCode = code ?? 1;
if (code === 0 && JSON.parse(readFileSync(reportPath, 'utf8')).numPassedTests === 0) {
  console.error('chaos: the test was skipped: nats-server and MinIO are not there; run npm run setup:servers');
  process.exitCode = 2;
}
