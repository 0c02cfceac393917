// Steps of set-ups: they run programs, and record what a build was made of, so that an equal one is not built again.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './child-processes.mjs';

/** An error that the user can act on: printed on one line, or with a program's output. */
export class SetupError extends Error {}

/** Run a program to its end or until `options.timeout`; returns its output, whose beginning is shown if it fails. */
export async function run(program, args, options) {
  const { code, signal, output } = await runChild(program, args, options);
  if (code === 0) return output;
  const how = signal ? `was ended by ${signal}` : 'failed';
  throw new SetupError(`${program} ${how}:\n${output.split('\n').slice(0, 30).join('\n')}`);
}

/** Run a program that a set-up cannot do without; returns its output. */
export async function needs(program, args, what, hint) {
  try {
    return await run(program, args);
  } catch (error) {
    throw new SetupError(`${what} is needed, but ${program} does not run: ${hint}`, { cause: error });
  }
}

const platform = `${process.platform}-${process.arch}`;
const recordOf = (folder) => join(folder, 'build.json');

/** The record of the build in a folder if it was made of the same on this platform; else undefined. */
export function findBuild(folder, madeOf) {
  try {
    const record = JSON.parse(readFileSync(recordOf(folder), 'utf8'));
    const isSame = record.platform === platform && JSON.stringify(record.madeOf) === JSON.stringify(madeOf);
    return isSame ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Before a folder's build changes. */
export function forgetBuild(folder) {
  rmSync(recordOf(folder), { force: true });
}

/** Once a folder's build is complete. `facts` are for those who use it. */
export function recordBuild(folder, facts, madeOf) {
  writeFileSync(recordOf(folder), `${JSON.stringify({ ...facts, platform, madeOf }, null, 2)}\n`);
}
