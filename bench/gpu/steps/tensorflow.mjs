// TensorFlow's library, where it is there: an iteration beside the CPU's.
import { inProject, report, skip } from './step.mjs';

const { probeBackends, selectBackend } = await import('@fourfold/model');
const { found, detail } = probeBackends().find(({ backend }) => backend === 'tensorflow');
if (!found) skip(detail);
const { smallIteration } = await import(`file://${inProject('packages/model/dist/test-iteration.js')}`);
const info = await selectBackend({ backend: 'tensorflow', device: 'auto', precision: 'f32', threads: 0 });
await smallIteration();
const startMs = performance.now();
const { losses } = await smallIteration();
report({ ...info, ms: performance.now() - startMs, losses });
