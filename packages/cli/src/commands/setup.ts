import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { abortOnInterruption, ChildFailure } from '../interruption.js';

/** The set-ups: each is a script with options of its own. The paths are the same from src and dist. */
const setUps = {
  torch: {
    summary: 'libtorch, the library under PyTorch, which makes training several times faster',
    script: () => new URL('setup/setup-torch.mjs', import.meta.resolve('@fourfold/tfjs-torch/package.json')),
  },
  tensorflow: {
    summary: 'TensorFlow’s library by @tensorflow/tfjs-node, instead',
    script: () => new URL('../../setup/setup-tensorflow.mjs', import.meta.url),
  },
  webgpu: {
    summary: 'Dawn, WebGPU for any vendor’s GPU, without a compiler',
    script: () => new URL('../../setup/setup-webgpu.mjs', import.meta.url),
  },
  servers: {
    summary: 'nats-server, MinIO and Prometheus, for fourfold cluster; Go compiles MinIO in 3 to 10 minutes',
    script: () => new URL('../../setup/setup-servers.mjs', import.meta.url),
  },
};

/** `fourfold setup`. */
export function registerSetup(program: Command): void {
  // `--version` of a set-up is its own.
  program.enablePositionalOptions();
  const setup = program
    .command('setup')
    .summary('install a faster backend, or the servers of a cluster')
    .description(
      'Install what npm cannot bring: torch, tensorflow, webgpu or servers. Each has options; --help lists them.',
    );
  for (const [name, { summary, script }] of Object.entries(setUps)) {
    setup
      .command(name)
      .summary(summary)
      .argument('[options...]', 'options of the set-up')
      // The script knows its options and its help.
      .allowUnknownOption()
      .helpOption(false)
      .action((options: string[]) => runScript(script(), options, abortOnInterruption()));
  }
}

/** Run a set-up on this terminal. Rejects with the signal's reason once it has stopped; a failed set-up has said why. */
async function runScript(script: URL, args: string[], signal: AbortSignal): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], { stdio: 'inherit' });
  const stop = () => child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (exitCode !== 0) throw new ChildFailure(exitCode ?? 1);
}
