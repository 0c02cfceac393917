// The device computes what the CPU does: an iteration beside PyTorch's in float64 and beside WebAssembly's, then 20 iterations.
import { trainShortly } from '../../../test/support/short-training.ts';
import { device, expect, inProject, isCuda, report, small } from './step.mjs';

const inModel = (file) => import(`file://${inProject(`packages/model/dist/${file}.js`)}`);
const { selectBackend } = await import('@fourfold/model');
const { iterationErrors, relativeError } = await inModel('test-reference');
const { smallIteration } = await inModel('test-iteration');

/** Largest relative errors; those of bf16 are of packages/model/src/parity.test.ts. TF32 rounds to 10 bits. */
const limits = {
  f32: { reference: 1e-4, losses: 1e-4, generator: 1e-4, discriminator: 1e-4, twenty: 1e-3 },
  tf32: { reference: 0.1, losses: 2e-3, generator: 1e-2, discriminator: 0.1, twenty: 5e-3 },
  bf16: { reference: Infinity, losses: 1e-2, generator: 2e-2, discriminator: 0.25, twenty: 1e-2 },
};
const precisions = isCuda ? ['f32', 'tf32', 'bf16'] : ['f32', 'bf16'];
const cpu = { device: 'cpu', threads: 1, precision: 'f32' };
const errorsOf = (values, expected) => Math.max(...values.map((value, i) => Math.abs(value / expected[i] - 1)));
const iterations = small ? 3 : 20;
const problems = [];

function compare(what, precision, errors) {
  report({ what, precision, errors });
  for (const [name, error] of Object.entries(errors)) {
    if (!(error <= limits[precision][name])) problems.push(`${what}, ${precision}: ${name} is off by ${error}`);
  }
}

await selectBackend({ ...cpu, backend: 'wasm' });
const expected = await smallIteration();
for (const precision of precisions) {
  await selectBackend({ backend: 'torch', device, threads: 0, precision });
  compare('PyTorch in float64', precision, { reference: Math.max(...Object.values(await iterationErrors())) });
  const { losses, gradients } = await smallIteration();
  compare('the first iteration', precision, {
    losses: errorsOf(Object.values(losses), Object.values(expected.losses)),
    generator: relativeError(gradients.generator, expected.gradients.generator),
    discriminator: relativeError(gradients.discriminator, expected.gradients.discriminator),
  });
}
for (const kind of small ? ['gan'] : ['mse', 'gan']) {
  const { content } = await trainShortly(kind, { ...cpu, backend: 'torch' }, { iterations });
  for (const precision of precisions) {
    const found = await trainShortly(kind, { backend: 'torch', device, precision }, { iterations });
    compare(`${iterations} iterations of ${kind}`, precision, { twenty: errorsOf(found.content, content) });
  }
}
expect(problems.length === 0, problems.join('; '));
