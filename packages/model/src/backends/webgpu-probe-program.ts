// Prints what adapter WebGPU finds on this machine, as JSON, for `probeWebgpu`.
import { describeError } from '@fourfold/common/basics';
import { adapterName, findAdapter } from './webgpu-adapter.js';
import type { Answer } from './webgpu-probe.js';

const answer: Answer = await findAdapter('auto').then(
  (adapter) => ({
    name: adapterName(adapter),
    isSoftware: adapter.info.isFallbackAdapter,
    bufferBytes: adapter.limits['maxBufferSize'],
  }),
  (error: unknown) => ({ problem: describeError(error) }),
);
// Dawn keeps the process alive.
process.stdout.write(JSON.stringify(answer), () => process.exit());
