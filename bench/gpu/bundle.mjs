// npm run gpu:bundle [-- --out DIR]: writes a folder that checks a GPU on a machine with PyTorch and a C++ compiler but without npm and
// a network. See bench/README.md.
import { build } from 'esbuild';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSuite } from '../../packages/tfjs-torch/conformance/build.mjs';
import { runChild } from '../../scripts/child-processes.mjs';
import { contents, root } from './contents.mjs';

/** What may be carried to a machine that is lent. */
const mostBytes = 60 * 2 ** 20;

const { values: options } = parseArgs({ options: { out: { type: 'string', default: join(root, 'out/gpu-bundle') } } });

async function tar(...args) {
  const { code, output } = await runChild('tar', args);
  if (code !== 0) throw new Error(`tar failed: ${output}`);
}

/** The steps' programs, with what they share with the tests; packages stay where they are. */
const compileSteps = (folder) =>
  build({
    entryPoints: readdirSync(join(root, 'bench/gpu/steps')).map((name) => join(root, 'bench/gpu/steps', name)),
    outdir: join(folder, 'bench/gpu/steps'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });

async function main() {
  if (process.platform !== 'linux') throw new Error('the bundle holds this machine’s Node.js, so make it on Linux');
  const folder = resolve(options.out);
  const temporary = mkdtempSync(join(tmpdir(), 'fourfold-bundle-'));
  try {
    await buildSuite();
    const paths = await contents();
    await compileSteps(temporary);
    const list = join(temporary, 'list');
    writeFileSync(list, paths.join('\n'));
    const node = realpathSync(process.execPath);
    mkdirSync(folder, { recursive: true });
    const project = join(folder, 'project.tar.gz');
    await tar(
      ...['--create', '--gzip', '--file', project, '--owner=0', '--group=0'],
      ...[`--transform=flags=r;s,^${basename(node)}$,bin/node,`, '--directory', dirname(node), basename(node)],
      ...['--directory', temporary, 'bench', '--directory', root, '--files-from', list],
    );
    copyFileSync(join(root, 'bench/gpu/check.sh'), join(folder, 'check.sh'));
    const sizeBytes = ['project.tar.gz', 'check.sh'].reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    const size = `${(sizeBytes / 2 ** 20).toFixed(1)} MiB`;
    if (sizeBytes > mostBytes) throw new Error(`the bundle has ${size}, more than ${mostBytes / 2 ** 20} MiB`);
    console.log(`${folder}: ${size}; run check.sh in it`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(`gpu:bundle: ${error.message}`);
  process.exitCode = 1;
}
