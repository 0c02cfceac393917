import { describeError, exitCodeOf } from '@fourfold/common';
import { cudaDevices, probe, registerTorch, type Probe } from '@fourfold/tfjs-torch';
import { expect, test, vi } from 'vitest';
import { startTorch } from './torch-backend.js';

vi.mock('@fourfold/tfjs-torch');

const setUp = (cuda: boolean): Probe => ({
  found: true,
  build: { version: '2.9.1', libtorch: '/torch', cuda, platform: 'linux-x64' },
});

/** The exit code of a worker whose backend does not start. */
function exitCode(found: Probe, device: string): Promise<number> {
  const fail = () => {
    throw new Error('torch: why');
  };
  vi.mocked(probe).mockReturnValue(found);
  vi.mocked(cudaDevices).mockImplementation(fail);
  vi.mocked(registerTorch).mockImplementation(fail);
  return startTorch({ backend: 'torch', device, precision: 'f32', threads: 1 }).then(
    () => 0,
    (error: Error) => {
      expect(error.message).toBe('backend torch: why');
      return exitCodeOf(error);
    },
  );
}

test.each<[what: string, found: Probe, device: string, code: number]>([
  ['a machine without a GPU, or with a failing one', setUp(true), 'cuda', 1],
  ['a second GPU that this machine lacks', setUp(true), 'cuda:1', 1],
  ['a driver that fails while GPUs are counted', setUp(true), 'auto', 1],
  ['cuda with a set-up that has none', setUp(false), 'cuda', 2],
  ['a processor', setUp(true), 'cpu', 2],
  ['no set-up', { found: false, reason: 'why' }, 'cuda', 2],
])('%s: exit code', async (_, found, device, code) => {
  expect(await exitCode(found, device)).toBe(code);
});

test('a missing set-up is said once, with the command of fourfold', async () => {
  vi.mocked(probe).mockReturnValue({ found: false, reason: 'why' });
  vi.mocked(registerTorch).mockImplementation(() => {
    throw new Error('torch: it is not set up: run npx tfjs-torch setup');
  });
  const started = startTorch({ backend: 'torch', device: 'cpu', precision: 'f32', threads: 1 });
  const error: unknown = await started.catch((thrown: unknown) => thrown);
  expect(describeError(error)).toBe('backend torch: it is not set up: run npx fourfold setup torch');
});
