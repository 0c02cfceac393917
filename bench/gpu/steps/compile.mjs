// PyTorch compiles the peer, in several processes, so that the contest finds the result in its cache.
import { expect, inProject, isCuda, report, run, seconds, skip, small } from './step.mjs';

if (!isCuda || small) skip('compiling the peer takes minutes on a CPU');
const python = process.env.PYTHON ?? 'python3';
const results = await Promise.allSettled(
  ['mse', 'gan'].flatMap((phase) =>
    ['bf16', 'tf32'].map((dtype) => {
      const size = ['--device', 'cuda', '--dtype', dtype, '--phase', phase, '--steps', '1', '--warmup', '1'];
      const args = [inProject('bench/peers/torch_srgan.py'), ...size, '--channels-last', '--compile'];
      return run(python, args, { timeoutMs: (seconds - 2) * 1000 });
    }),
  ),
);
const failures = results.flatMap(({ reason }) => (reason ? [reason.message] : []));
report({ compiled: results.length - failures.length, failures });
expect(failures.length < results.length, failures[0]);
