// Installs the servers that a cluster needs into the cache folder, where the machine has none: `npm run setup:servers`.
import { spawn } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';

/** What is installed how; the programs are those of src/find-program.ts. */
const sources = [
  { programs: ['nats-server'], install: () => fromDebian('nats-server', ['nats-server']) },
  { programs: ['prometheus', 'promtool'], install: () => fromDebian('prometheus', ['prometheus', 'promtool']) },
  { programs: ['minio'], install: () => fromGo('github.com/minio/minio@latest') },
];

const { values: options } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
const cacheBin = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fourfold', 'bin');

class SetupError extends Error {}

async function main() {
  if (options.help) {
    console.log(`npm run setup:servers

Looks for nats-server, prometheus, promtool and minio on the PATH and in ${cacheBin}. What is missing is put there: nats-server
and Prometheus out of their Debian packages (needs apt-get; nothing is installed on the system), MinIO compiled by \`go install\`
(needs Go; takes some minutes, fewer cores with GOFLAGS=-p=1). Exits with 2 where one cannot be had; the others are installed
all the same.`);
    return;
  }
  mkdirSync(cacheBin, { recursive: true });
  let failed = false;
  for (const { programs, install } of sources) {
    const missing = programs.filter((program) => !findProgram(program));
    if (missing.length === 0) {
      for (const program of programs) say(`${program}: ${findProgram(program)}`);
      continue;
    }
    const startMs = Date.now();
    try {
      await install();
      const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
      say(`${missing.join(', ')}: installed into ${cacheBin} after ${seconds} s`);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failed = true;
      say(
        `${missing.join(', ')} cannot be had: ${error.message}; or put ${missing.length > 1 ? 'them' : 'it'} on the PATH`,
      );
    }
  }
  if (failed) process.exitCode = 2;
}

function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), cacheBin];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Take programs out of a Debian package, which needs no rights and starts no service. */
async function fromDebian(packageName, programs) {
  await needs('apt-get', ['--version'], `the Debian package ${packageName} needs apt-get`);
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-deb-'));
  const download = () => run('apt-get', ['--quiet', 'download', packageName], { cwd: folder });
  try {
    say(`taking ${packageName} out of its Debian package ...`);
    await download().catch(async (error) => {
      // A machine whose package lists are old or were never fetched.
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
      if (!path) throw new SetupError(`the Debian package ${packageName} holds no ${program}`);
      putInPlace(path, program);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compile a program from its Go module. */
async function fromGo(module) {
  await needs('go', ['version'], `${module} needs Go (https://go.dev/doc/install)`);
  const folder = mkdtempSync(join(cacheBin, '.go-'));
  try {
    say(`compiling ${module}, which takes some minutes ...`);
    await run('go', ['install', module], { env: { ...process.env, GOBIN: folder } });
    for (const program of readdirSync(folder)) putInPlace(join(folder, program), program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Into the cache folder all at once, so that nobody starts half a program. */
function putInPlace(path, program) {
  const unfinished = join(cacheBin, `.${program}.${process.pid}`);
  copyFileSync(path, unfinished);
  renameSync(unfinished, join(cacheBin, program));
}

async function needs(program, args, otherwise) {
  await run(program, args).catch(() => {
    throw new SetupError(`${otherwise}, and ${program} does not run`);
  });
}

/** Run a program to its end; the end of its output is shown if it fails. */
function run(program, args, { cwd, env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => reject(new SetupError(`${program} does not start: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const lastWords = output.trim().split('\n').slice(-3).join(' | ');
      reject(
        new SetupError(`${program} ${args.join(' ')} ${signal ? `was ended by ${signal}` : 'failed'}: ${lastWords}`),
      );
    });
  });
}

const say = (line) => console.error(`servers: ${line}`);

await main();
