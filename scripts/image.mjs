// Builds an image of deploy/docker/Dockerfile with podman or buildah, twice with --check, where no registry answers too: `npm run image`.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { baseDockerfile, layOutBase, layOutBuilder } from './base-image.mjs';
import { runChild } from './child-processes.mjs';

const help = `npm run image [-- --target wasm|cpu|cuda] [--node IMAGE] [--tag NAME] [--check]

Builds an image with podman or buildah, whichever is there, as root. --node names the image with Node.js that it begins with; without it the base
is made of Debian packages and this machine's own Node.js. cpu and cuda are then compiled on a Debian that debootstrap makes.
All times in the image are 0, so that the same sources give the same digest; --check builds a second time without the cache and compares.`;

const options = {
  help: { type: 'boolean', short: 'h' },
  target: { type: 'string', default: 'wasm' },
  node: { type: 'string' },
  tag: { type: 'string' },
  check: { type: 'boolean', default: false },
};

/** For networks whose proxy signs with an authority of its own, as Node.js and Debian's tools know it. */
const authorities = process.env.NODE_EXTRA_CA_CERTS ?? process.env.SSL_CERT_FILE;

async function main() {
  const { values } = parseArgs({ options });
  if (values.help) return console.log(help);
  const engine = await findEngine();
  const node = values.node ?? (await makeImage(engine, 'localhost/fourfold-node', layOutBase));
  const needsApt = !values.node && values.target !== 'wasm';
  const builder = needsApt ? await makeImage(engine, 'localhost/fourfold-builder', layOutBuilder) : node;
  const tag = values.tag ?? `localhost/fourfold:0.1.0-${values.target}`;
  const from = ['--build-arg', `NODE=${node}`, '--build-arg', `BUILDER=${builder}`];
  const build = ['--file', 'deploy/docker/Dockerfile', '--target', values.target, ...from];
  const began = Date.now();
  await run(engine, buildArgs(engine, tag, [...build, '.']));
  const id = await digest(engine, tag);
  say(`${tag} is ${id} after ${((Date.now() - began) / 1000).toFixed(0)} s`);
  if (!values.check) return;
  await run(engine, buildArgs(engine, tag, ['--no-cache', ...build, '.']));
  const again = await digest(engine, tag);
  if (again !== id) throw new Error(`a second build of the same sources gave ${again}`);
  say('a second build without the cache gave the same');
}

/** An engine waits without end for a lock of its storage that another one holds. */
const answerMs = 30_000;

async function findEngine() {
  const limit = { timeout: answerMs, killSignal: 'SIGKILL' };
  const silent = [];
  for (const engine of ['podman', 'buildah']) {
    const { code, signal } = await runChild(engine, ['info'], limit).catch(() => ({}));
    if (code === 0) return engine;
    if (signal === 'SIGKILL') silent.push(engine);
  }
  if (silent.length > 0)
    throw new Error(
      `${silent.join(' and ')} did not answer \`info\` within ${answerMs / 1000} s: end what else uses its storage`,
    );
  throw new Error(
    'neither podman nor buildah runs here: install one (on Debian: apt-get install podman runc), and run this as root',
  );
}

/** Make an image of the files that `layOut` puts into an empty folder, with another one for what it downloads; returns `tag`. */
async function makeImage(engine, tag, layOut) {
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-base-'));
  try {
    const [files, downloads] = ['files', 'downloads'].map((name) => join(folder, name));
    mkdirSync(files);
    mkdirSync(downloads);
    await layOut(files, downloads);
    writeFileSync(join(folder, 'Dockerfile'), baseDockerfile);
    await run(engine, buildArgs(engine, tag, ['--file', join(folder, 'Dockerfile'), files]));
    say(`${tag} has Node.js ${process.version} and ${await digest(engine, tag)}`);
    return tag;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The steps' limits are low, since an engine in a container cannot raise its own; they use the host's network, which may be a proxy's. */
function buildArgs(engine, tag, more) {
  const trust =
    authorities && existsSync(authorities)
      ? ['--volume', `${authorities}:${authorities}:ro`, ...['NODE_EXTRA_CA_CERTS', 'PIP_CERT'].flatMap(trusting)]
      : [];
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1000:1000'];
  return [
    ...['build', '--layers', '--format', 'oci', '--timestamp', '0', '--network', 'host', '--tag', tag],
    ...[...limits, ...trust, ...more],
  ];
}

const trusting = (variable) => ['--build-arg', `${variable}=${authorities}`];

const digest = async (engine, tag) => (await run(engine, ['images', '--no-trunc', '--quiet', tag])).trim();

/** Run an engine to its end; its steps appear on stderr. */
async function run(engine, args) {
  const { code, stdout, output } = await runChild(engine, args, { onLine: (line) => console.error(line) });
  if (code === 0) return stdout;
  throw new Error(`${engine} ${args[0]} failed: ${output.trim().split('\n').slice(-3).join(' | ')}`);
}

const say = (line) => console.error(`image: ${line}`);

try {
  await main();
} catch (error) {
  say(error.message);
  process.exitCode = 2;
}
