// Memory stays the same over 1,000 iterations.
import { trainShortly } from '../../../test/support/short-training.ts';
import { device, expect, isCuda, report, small } from './step.mjs';

const [settled, iterations] = small ? [10, 20] : [100, 1000];
const readings = [];
await trainShortly(
  'gan',
  { backend: 'torch', device, precision: 'bf16' },
  {
    iterations,
    async after(iteration, compute) {
      if ((iteration + 1) % settled !== 0) return;
      const { tensors, reserved } = await compute.memory();
      readings.push({
        iteration: iteration + 1,
        tensors,
        reserved,
        residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
      });
    },
  },
);
const [first, last] = [readings[0], readings.at(-1)];
report({ first, last });
expect(last.tensors === first.tensors, `tensors grow from ${first.tensors} to ${last.tensors} bytes`);
if (isCuda)
  expect(
    last.reserved === first.reserved,
    `the device's memory grows from ${first.reserved} to ${last.reserved} bytes`,
  );
const grownMiB = last.residentMiB - first.residentMiB;
expect(grownMiB < 300, `the process grows by ${grownMiB} MiB`);
