import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describeError } from '@fourfold/common/basics';
import { installedWebgpu } from './webgpu-adapter.js';
import type { BackendProbe } from './types.js';

/** The path is the same from src and dist. */
const program = fileURLToPath(new URL('../../dist/backends/webgpu-probe-program.js', import.meta.url));

/** Some drivers compile for seconds when they are first loaded. */
const probeMs = 30_000;

/** What the program prints. */
export type Answer = { name: string; isSoftware: boolean; bufferBytes: number } | { problem: string };

/** Whether WebGPU was set up and finds an adapter. A process of its own asks: a driver may crash, or not return. */
export function probeWebgpu(): Omit<BackendProbe, 'backend'> {
  try {
    const { version } = installedWebgpu();
    const answer = ask();
    if ('problem' in answer) return { found: false, detail: answer.problem };
    const software = answer.isSoftware ? '; software, so auto does not take it' : '';
    const detail = `${answer.name}, Dawn ${version}, buffers of up to ${answer.bufferBytes / 2 ** 20} MiB${software}`;
    return { found: true, detail, onlyByName: answer.isSoftware };
  } catch (error) {
    return { found: false, detail: withoutName(describeError(error)) };
  }
}

const withoutName = (text: string): string => text.replace('backend webgpu: ', '');

function ask(): Answer {
  const { stdout, signal, status } = spawnSync(process.execPath, [program], { timeout: probeMs, encoding: 'utf8' });
  if (status !== 0) return { problem: `the GPU’s driver ended the probe with ${signal ?? `code ${status}`}` };
  const answer = JSON.parse(stdout) as Answer;
  return 'problem' in answer ? { problem: withoutName(answer.problem) } : answer;
}
