// The addon compiles against the PyTorch that is there, and sees the device.
import { device, expect, inProject, isCuda, report, run } from './step.mjs';

await run(process.execPath, [inProject('packages/tfjs-torch/setup/setup-torch.mjs'), ...(isCuda ? ['--cuda'] : [])]);
const { cudaDevices, probe, registerTorch, whyNoCuda } = await import('@fourfold/tfjs-torch');
const { build } = probe();
if (isCuda) expect(cudaDevices().length > 0, `no CUDA device: ${whyNoCuda()}`);
report({ cuda: build.cuda, devices: isCuda ? cudaDevices() : [], ...registerTorch({ device }) });
