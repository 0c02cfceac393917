import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { probe } from './native.js';
import { lacks } from '../../../test/support/needs.mjs';

const runner = fileURLToPath(new URL('../conformance/run.mjs', import.meta.url));

interface Report {
  passed: number;
  pending: number;
  failed: { name: string; messages: string[] }[];
}

describe.skipIf(lacks('torch', probe().found))('on the torch backend (after npm run setup:torch)', () => {
  it("TensorFlow.js's own test suite passes", { timeout: 600_000 }, () => {
    const { stdout, stderr } = spawnSync(process.execPath, [runner, '--json'], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (!stdout) throw new Error(`the suite wrote no report: ${stderr.slice(-2000)}`);
    const { passed, pending, failed } = JSON.parse(stdout) as Report;
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThanOrEqual(4225);
    // TensorFlow.js itself skips these.
    expect(pending).toBe(5);
  });
});
