// Watches the resources of a run with faults on the demo's networks: npm run soak -- --minutes 30 [--every 10] [--seed 2].
import { parseArgs } from 'node:util';
import { runTest } from './run-test.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    every: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h' },
  },
});
const [minutes, every, seed] = [values.minutes, values.every, values.seed].map(Number);
if (values.help || !(minutes > 0) || !(every > 0) || !Number.isInteger(seed)) {
  console.log(`npm run soak -- [--minutes N] [--every SECONDS] [--seed S]

Trains the demo's networks on real servers, with a fault every SECONDS, and samples every ten seconds what the coordinators, workers,
data-loaders and the keeper of a fourfold train hold: memory, descriptors, threads and tensors. Reports at the end whether that stayed
flat (for runs of ten minutes or more); out/soak.json has all samples. Needs npm run setup:servers.`);
  process.exit(values.help ? 0 : 2);
}
process.exitCode = await runTest('test/soak.test.ts', {
  FOURFOLD_SOAK_MINUTES: String(minutes),
  FOURFOLD_SOAK_EVERY: String(every),
  FOURFOLD_SOAK_SEED: String(seed),
});
