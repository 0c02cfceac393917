import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

/*
 * `npm run lint` checks with .dependency-cruiser.mjs which source imports which. Here it checks planted sources.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fourfold-imports-'));
  for (const file of ['.dependency-cruiser.mjs', 'tsconfig.base.json']) cpSync(join(root, file), join(folder, file));
  write('package.json', JSON.stringify({ workspaces: ['packages/*'] }));
  mkdirSync(join(folder, 'node_modules/@fourfold'), { recursive: true });
  for (const name of ['common', 'store']) {
    const exports = { '.': './src/index.ts' };
    write(`packages/${name}/package.json`, JSON.stringify({ name: `@fourfold/${name}`, type: 'module', exports }));
    symlinkSync(`../../packages/${name}`, join(folder, 'node_modules/@fourfold', name));
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

/** Check these sources, by their paths below packages/. */
function check(sources: Record<string, string>): { code: number | null; output: string } {
  for (const [file, text] of Object.entries(sources)) write(`packages/${file}`, text);
  const depcruise = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [depcruise, 'packages', '--config', '.dependency-cruiser.mjs', '--output-type', 'err'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}

test('sources that import downwards pass', () => {
  const { code, output } = check({
    'common/src/index.ts': 'export const one = 1;\n',
    'store/src/index.ts': "export { two } from './objects/two.js';\n",
    'store/src/objects/two.ts': "import { one } from '@fourfold/common';\nexport const two = one + 1;\n",
  });
  expect(output).toContain('no dependency violations found');
  expect(code).toBe(0);
});

test('a circle, also one of types alone, an import of a higher package, and one past a package’s index are refused', () => {
  const { code, output } = check({
    'common/src/a.ts': "import type { B } from './b.js';\nexport type A = B[];\n",
    'common/src/b.ts': "import type { A } from './a.js';\nexport interface B {\n  a: A;\n}\n",
    'common/src/higher.ts': "import { openStore } from '@fourfold/store';\nexport const open = openStore;\n",
    'common/src/files/path.ts': 'export const one = 1;\n',
    'store/src/index.ts': 'export const openStore = 1;\n',
    'store/src/past.ts': "import { one } from '../../common/src/files/path.js';\nexport const two = one + 1;\n",
  });
  const refused = [...output.matchAll(/error ([\w-]+): (\S+)/g)].map(([, rule, source]) => `${rule}: ${source}`);
  expect(refused.sort(), output).toEqual([
    'no-circles: packages/common/src/a.ts',
    'no-import-above-common: packages/common/src/higher.ts',
    'no-import-past-an-index: packages/store/src/past.ts',
  ]);
  expect(code).toBeGreaterThan(0);
});
