// What the steps of the check share: what they are asked, and how they answer. check.mjs reads the JSON lines on their stdout.
import { fileURLToPath } from 'node:url';
import { runChild } from '../../../scripts/child-processes.mjs';

/** The device, whether sizes are small, the time in seconds, and a folder to write in. */
export const { device, small, seconds, folder } = JSON.parse(process.argv[2]);
export const isCuda = device.startsWith('cuda');
export const inProject = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** Print what was found. */
export const report = (facts) => console.log(JSON.stringify(facts));

/** End the step: it cannot run here. */
export function skip(reason) {
  report({ skipped: reason });
  process.exit(0);
}

/** Throws unless a condition is met. */
export function expect(condition, what) {
  if (!condition) throw new Error(what);
}

/** Run a program to its end; returns its stdout. Its stderr goes to the step's log. */
export async function run(program, args, { env, timeoutMs } = {}) {
  const options = {
    env: { ...process.env, ...env },
    timeout: timeoutMs && Math.max(1, Math.round(timeoutMs)),
    killSignal: 'SIGKILL',
  };
  const { code, signal, stdout, stderr } = await runChild(program, args, options);
  process.stderr.write(stderr);
  if (code === 0) return stdout;
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${args[0] ?? program} ended with ${signal ?? code}: ${reason.slice(0, 400)}`);
}

/** `fourfold ARGS`; returns its stdout. */
export const fourfold = (args, options) =>
  run(process.execPath, [inProject('packages/cli/bin/fourfold.js'), ...args], options);

/** The JSON objects on a program's stdout, which may have other text before them. */
export const jsonOf = (stdout) => JSON.parse(stdout.slice(stdout.indexOf('{')));
