// What set-ups of programs share: they find a program, or install it into the cache folder, completely or not at all.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from '@fourfold/tfjs-torch/child-processes';
import { SetupError } from '@fourfold/tfjs-torch/setup-steps';
import { cacheBin, findProgram, isExecutable } from '../dist/servers/find-program.js';

/** How often a long installation reports its progress. */
const progressMs = 15_000;

/** How long an installation takes. */
export const seconds = 'which takes a few seconds';
export function minutes(from, to) {
  return `which Go compiles in ${from} to ${to} minutes on two cores, with 2 GB in its caches`;
}

/**
 * Install what is missing, one source after the other. A source that fails does not stop the others; the process's exit code is then 2.
 * A source names its `programs`, how long it `takes`, how to `install` it, and how to `find` a program if not with `findProgram`.
 */
export async function installMissing(wanted) {
  mkdirSync(cacheBin(), { recursive: true });
  let failed = false;
  for (const source of wanted) {
    const missing = missingOf(source);
    if (missing.length > 0) say(`${missing.join(', ')}: missing; installing it, ${source.takes}`);
  }
  for (const source of wanted) {
    const { programs, install, find = findProgram } = source;
    const missing = missingOf(source);
    if (missing.length === 0) {
      for (const program of programs) say(`${program}: ${find(program)}`);
      continue;
    }
    const startMs = Date.now();
    try {
      await install();
      const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
      say(`${missing.join(', ')}: installed as ${missing.map(find).join(', ')} after ${seconds} s`);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failed = true;
      say(
        `${missing.join(', ')} could not be installed: ${error.message}; or put ${missing.length > 1 ? 'them' : 'it'} on the PATH`,
      );
    }
  }
  if (failed) process.exitCode = 2;
}

function missingOf({ programs, find = findProgram }) {
  return programs.filter((program) => !find(program));
}

/** Extract programs from a Debian package, which needs no privileges and starts no service. */
export async function fromDebian(packageName, programs) {
  await needs('apt-get', ['--version'], `the Debian package ${packageName} needs apt-get`);
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-deb-'));
  const download = () => run('apt-get', ['--quiet', 'download', packageName], { cwd: folder });
  try {
    say(`extracting ${packageName} from its Debian package ...`);
    await download().catch(async (error) => {
      // The package lists may be old, or may never have been fetched.
      await run('apt-get', ['--quiet', 'update']).catch(() => {
        throw error;
      });
      await download();
    });
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['--extract', join(folder, file), join(folder, 'files')]);
    const places = ['usr/bin', 'usr/sbin'].map((place) => join(folder, 'files', place));
    for (const program of programs) {
      const path = places.map((place) => join(place, program)).find(isExecutable);
      if (!path) throw new SetupError(`the Debian package ${packageName} does not contain ${program}`);
      putInPlace(path, program);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compile a program from its Go module. */
export async function fromGo(module) {
  await needs('go', ['version'], `${module} needs Go (https://go.dev/doc/install)`);
  const folder = mkdtempSync(join(cacheBin(), '.go-'));
  try {
    say(`compiling ${module} ...`);
    await goInstall([module], { env: { ...process.env, GOBIN: folder } });
    for (const program of readdirSync(folder)) putInPlace(join(folder, program), program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Run `go install`, and report progress: it names each module that it fetches and each package that it compiles. */
export async function goInstall(args, options) {
  const beginMs = Date.now();
  const counts = { fetched: 0, compiled: 0 };
  let saidMs = -Infinity;
  const onLine = (line) => {
    if (line.startsWith('go: downloading ')) counts.fetched++;
    else if (/^[\w./~-]+$/.test(line)) counts.compiled++;
    if (Date.now() - saidMs < progressMs) return;
    saidMs = Date.now();
    const passed = ((saidMs - beginMs) / 1000).toFixed(0);
    say(`modules fetched: ${counts.fetched}, packages compiled: ${counts.compiled}, after ${passed} s`);
  };
  await run('go', ['install', '-v', ...args], { ...options, onLine });
}

/** Move a program into the cache folder atomically, so that no process starts an incomplete one. */
export function putInPlace(path, program) {
  const unfinished = join(cacheBin(), `.${program}.${process.pid}`);
  copyFileSync(path, unfinished);
  renameSync(unfinished, join(cacheBin(), program));
}

export async function needs(program, args, otherwise) {
  await run(program, args).catch(() => {
    throw new SetupError(`${otherwise}, and ${program} does not run`);
  });
}

/** Run a program to its end; the error of a failure shows the end of its output. */
export async function run(program, args, options) {
  const { code, signal, output } = await runChild(program, args, options).catch((error) => {
    throw new SetupError(`${program} does not start: ${error.message}`, { cause: error });
  });
  if (code === 0) return output;
  const outputEnd = output.trim().split('\n').slice(-3).join(' | ');
  throw new SetupError(`${program} ${args.join(' ')} ${signal ? `was ended by ${signal}` : 'failed'}: ${outputEnd}`);
}

export const say = (line) => console.error(`servers: ${line}`);
