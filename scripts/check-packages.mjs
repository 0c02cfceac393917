// Checks what npm would publish: publint and "are the types wrong?" find nothing, and each file has its source. Run it after a build.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child-processes.mjs';

let problems = 0;
const tarballs = mkdtempSync(join(tmpdir(), 'fourfold-packages-'));
try {
  for (const name of readdirSync('packages')) {
    const folder = `packages/${name}`;
    if (JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).private) continue;
    const packed = await pack(folder);
    if (!packed) continue;
    const tarball = join(tarballs, packed.filename);
    await passes('publint', [tarball, '--strict']);
    await passes('attw', [tarball, '--profile', 'esm-only']);
    for (const { path } of packed.files) checkFile(folder, path);
  }
} finally {
  rmSync(tarballs, { recursive: true, force: true });
}
if (problems > 0) process.exitCode = 1;

/** Run a tool of node_modules; its output is shown if it fails. */
async function passes(tool, args) {
  const { code, output } = await runChild(`node_modules/.bin/${tool}`, args);
  if (code !== 0) problem(`${tool} ${args.join(' ')}:\n${output}`);
}

/** Pack a package; returns the name of its tarball and what is in it. */
async function pack(folder) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs, `./${folder}`];
  const { code, stdout, stderr } = await runChild('npm', args);
  if (code === 0) return JSON.parse(stdout)[0];
  problem(`npm pack ${folder}: ${stderr}`);
  return undefined;
}

function checkFile(folder, file) {
  if (/[.]test[.]|\/test-|tsbuildinfo|[.]map$/.test(file)) problem(`${folder}/${file} is for development only`);
  const source = /^dist\/(?!assets\/)(.*)[.]js$/.exec(file)?.[1];
  if (source && !existsSync(`${folder}/src/${source}.ts`)) {
    problem(
      `${folder}/${file} has no source: remove ${folder}/dist and ${folder}/tsconfig.tsbuildinfo, then build again`,
    );
  }
}

function problem(text) {
  problems++;
  console.error(`packages: ${text}`);
}
