import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/*
 * docs/deletions.md lists every source file that deletes, moves or writes files, and why it may. A new one needs a new line.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
const folders = ['packages', 'scripts', 'bench', 'deploy', 'examples', '.ci'];
/** Folders without sources, or whose code runs in a browser. */
const skipped = new Set(['node_modules', 'dist', 'out', 'generated', 'page', 'status-page']);

const calls = new RegExp(
  [
    // node:fs
    /\b(rm|rmdir|unlink|rename|writeFile|appendFile|copyFile|cp|truncate|ftruncate)(Sync)?\(/,
    /\bcreateWriteStream\(|\bopen(Sync)?\([^)]*, '[wa]/,
    // sharp, shells, Python
    /\.toFile\(|\brm -[rf]|\.(unlink|rmtree)\(/,
    // object stores, Kubernetes
    /\.(tidyFolder|remove(Object)?|put)\([^)]|\bputInTerm\(/,
  ]
    .map(({ source }) => source)
    .join('|'),
);

/** Not files: a slot in shared memory. */
const others = ['packages/worker/src/exchange/gradient-store.ts'];

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : sourcesIn(path);
    const isSource = /\.(ts|mjs|cjs|js|sh|py)$/.test(path) || path === '.ci/run';
    return isSource && !/\.test\.ts$|(^|\/)test-[^/]*\.ts$/.test(path) ? [path] : [];
  });
}

/** The sources in the first column of the page's table. */
function listed(): string[] {
  const page = readFileSync(join(root, 'docs/deletions.md'), 'utf8');
  const cells = page.split('\n').flatMap((line) => /^\| (`[^|]*) \|/.exec(line)?.[1] ?? []);
  const paths = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, path]) => path));
  return paths.map((path) => posix.normalize(`packages/${path}`));
}

test('docs/deletions.md lists every source that deletes, moves or writes files', () => {
  const found = folders.flatMap(sourcesIn).filter((path) => calls.test(readFileSync(join(root, path), 'utf8')));
  expect(listed().sort()).toEqual(found.filter((path) => !others.includes(path)).sort());
});
