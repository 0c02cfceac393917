// Checks what npm would publish: publint and "are the types wrong?" find nothing, and each file has its source. Run it after a build.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { runChild } from './child-processes.mjs';

let problems = 0;
for (const name of readdirSync('packages')) {
  const folder = `packages/${name}`;
  if (JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).private) continue;
  await passes('publint', [folder, '--strict']);
  await passes('attw', ['--pack', folder, '--profile', 'esm-only']);
  for (const file of await packed(folder)) checkFile(folder, file);
}
if (problems > 0) process.exitCode = 1;

/** Run a tool of node_modules; its output is shown if it fails. */
async function passes(tool, args) {
  const { code, output } = await runChild(`node_modules/.bin/${tool}`, args);
  if (code !== 0) problem(`${tool} ${args.join(' ')}:\n${output}`);
}

async function packed(folder) {
  const { code, stdout, stderr } = await runChild('npm', [
    'pack',
    '--dry-run',
    '--json',
    '--ignore-scripts',
    `./${folder}`,
  ]);
  if (code !== 0) problem(`npm pack ${folder}: ${stderr}`);
  return code === 0 ? JSON.parse(stdout)[0].files.map(({ path }) => path) : [];
}

function checkFile(folder, file) {
  if (/[.]test[.]|test-support|tsbuildinfo|[.]map$/.test(file)) problem(`${folder}/${file} is for development only`);
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
