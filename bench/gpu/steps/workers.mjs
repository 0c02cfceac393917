// One and two workers on one device with a coordinator, through shared memory, compared with the step alone: the exchange's share.
import { device, fourfold, report, seconds, small } from './step.mjs';

const settings = ['workers.backend=torch', `workers.device=${device}`, 'workers.precision=bf16', 'data.replicas=2'];
const size = small
  ? ['--size', 'demo', '--steps', '2', '--warmup', '1']
  : ['--size', 'paper', '--steps', '20', '--warmup', '5'];
const tiny = small
  ? ['generator.channels=4', 'generator.blocks=1', 'discriminator.channels=4', 'data.globalBatch=2']
  : [];
const args = ['bench', 'train', ...size, ...[...settings, ...tiny].flatMap((setting) => ['--set', setting]), '--json'];
const { step, runs } = JSON.parse(await fourfold(args, { timeoutMs: seconds * 1000 }));
const alone = Object.fromEntries(step.timings.map(({ phase, medianMs, parts }) => [phase, { ms: medianMs, parts }]));
report({
  alone,
  runs: runs.map(({ workers, phase, medianMs, timesStep }) => ({ workers, phase, ms: medianMs, timesStep })),
});
