import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from './support/documented-commands.js';

/*
 * Files that the pages name exist: sources by any end of their paths (`plan.ts`, `leases/plan.ts`), files and folders of the
 * repository by their whole paths, and the targets of links.
 */

const git = (...args: string[]) =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...args], {
    cwd: repository,
    encoding: 'utf8',
  })
    .trim()
    .split('\n');
const files = git();
const pages = git(
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/*.md',
  'bench/README.md',
  'packages/*/README.md',
);
const folders = [...new Set(files.map((file) => file.split('/')[0]))].join('|').replaceAll('.', '[.]');

const sourceName = /(?<![\w@./-])[\w][\w./-]*\.(ts|mjs|cc|h|proto|py)\b/g;
const wholePath = new RegExp(`(?<=\`)(${folders})/[\\w@./-]*(?=\`)`, 'g');
const link = /\]\(([^)#:]+)(#[^)]*)?\)/g;
/** Made by a build or by a command, or in another repository. */
const others = /^out\/|\/dist$|\/node_modules\//;

const exists = (path: string): boolean => files.some((file) => file === path || file.startsWith(`${path}/`));

/** Names on a page that lead nowhere. */
function missingOn(page: string): string[] {
  const text = readFileSync(join(repository, page), 'utf8');
  const named = (pattern: RegExp) => [...text.matchAll(pattern)].map(([found]) => found.replace(/\/$/, ''));
  const missing = [
    ...named(sourceName).filter((name) => !files.some((file) => `/${file}`.endsWith(`/${name}`))),
    ...named(wholePath).filter((path) => !exists(path) && !others.test(path)),
    ...[...text.matchAll(link)].map(([, to]) => to).filter((to) => !exists(posix.join(posix.dirname(page), to))),
  ];
  return [...new Set(missing)];
}

test('the pages are found', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/architecture.md']));
});

test.each(pages)('files that %s names exist', (page) => {
  expect(missingOn(page)).toEqual([]);
});

test('the path of a batch enters no folder twice', () => {
  const text = readFileSync(join(repository, 'docs/architecture.md'), 'utf8');
  const figure = text.slice(text.indexOf('### The path of a batch'), text.indexOf('drives the steps'));
  const visited = [...figure.matchAll(/^ {4}\w.{36}((?:[a-z-]+)\/[a-z]+) {2,}(\S.*)$/gm)].map(([, folder, names]) => ({
    folder,
    names: names.match(/[\w-]+\.ts/g) ?? [],
  }));
  expect(visited.length).toBeGreaterThan(8);
  expect(new Set(visited.map(({ folder }) => folder)).size).toBe(visited.length);
  for (const { folder, names } of visited) {
    const [name, room] = folder.split('/');
    for (const file of names) {
      const inRoom = files.some(
        (path) => path.startsWith(`packages/${name}/src/${room}/`) && path.endsWith(`/${file}`),
      );
      expect({ file, inRoom }).toEqual({ file, inRoom: true });
    }
  }
});
