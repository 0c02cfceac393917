// Checks what npm would publish: publint and "are the types wrong?" find nothing, and each file has its source. Run it after a build.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { problemKindInfo } from '@arethetypeswrong/core/problems';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { runChild } from './child-processes.mjs';

/** How nobody imports packages that are only ES modules. */
const otherResolutions = ['node10', 'node16-cjs'];

let problems = 0;
const tarballs = mkdtempSync(join(tmpdir(), 'fourfold-packages-'));
try {
  const folders = readdirSync('packages').map((name) => `packages/${name}`);
  const published = folders.filter((folder) => !manifestOf(folder).private);
  const packed = await packAll(published);
  for (const folder of published) {
    const { name } = manifestOf(folder);
    const { filename, files } = packed.find((one) => one.name === name);
    const tarball = new Uint8Array(readFileSync(join(tarballs, filename)));
    for (const text of await lint(tarball)) problem(`publint ${name}: ${text}`);
    for (const text of await checkTypes(tarball)) problem(`types of ${name}: ${text}`);
    for (const { path } of files) checkFile(folder, path);
  }
} finally {
  rmSync(tarballs, { recursive: true, force: true });
}
if (problems > 0) process.exitCode = 1;

function manifestOf(folder) {
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
}

/** Pack packages; returns their names, those of their tarballs, and what is in them. */
async function packAll(folders) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs];
  const { code, stdout, stderr } = await runChild('npm', [...args, ...folders.map((folder) => `./${folder}`)]);
  if (code !== 0) throw new Error(`npm pack: ${stderr}`);
  return JSON.parse(stdout);
}

/** What publint finds in a tarball: errors and warnings. */
async function lint(tarball) {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true, level: 'error' });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

/** What "are the types wrong?" finds in a tarball. */
async function checkTypes(tarball) {
  const analysis = await checkPackage(createPackageFromTarballData(tarball));
  if (!analysis.types) return ['it has none'];
  return analysis.problems
    .filter(({ resolutionKind }) => !otherResolutions.includes(resolutionKind))
    .map((found) => `${problemKindInfo[found.kind].title}: ${JSON.stringify(found)}`);
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
