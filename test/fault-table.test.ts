import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from './support/documented-commands.js';

/*
 * The table of faults in docs/operations.md: each row names an existing test, and events that the program logs.
 */

const page = readFileSync(join(repository, 'docs/operations.md'), 'utf8');
const [, section] = /^## What fails, and what happens\n(.*?)^## /ms.exec(page) ?? [];
const rows = (section ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
  .slice(1)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  // Headings within the table.
  .filter(([what]) => !what.startsWith('**'));

test.each(rows)('%s (%s)', (...cells) => {
  expect(cells).toHaveLength(6);
  for (const cell of cells) expect(cell).not.toBe('');
  const [, file, title] = /^`([^`]+\.test\.ts)` “(.+)”$/.exec(cells[5]) ?? [];
  expect(readFileSync(join(repository, file), 'utf8')).toContain(title);
});

test('the events that the table names are logged by the program', () => {
  const logged = execFileSync('git', ['grep', '-hoE', "event: '[a-z-]+'", '--', 'packages/*/src/*.ts'], {
    cwd: repository,
    encoding: 'utf8',
  });
  const events = rows.flatMap((cells) => [...cells[4].matchAll(/`([a-z-]+)`/g)].map(([, event]) => event));
  expect(events.length).toBeGreaterThan(20);
  expect(events.filter((event) => !logged.includes(`'${event}'`))).toEqual([]);
});
