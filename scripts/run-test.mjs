// Runs one test file as a command.
import { readFileSync, rmSync } from 'node:fs';
import { runChild } from './child-processes.mjs';

const reportPath = 'out/one-test.json';

/** Run a test file with variables added to this process's; returns the exit code, 2 if tests were skipped. */
export async function runTest(file, environment) {
  rmSync(reportPath, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  // In whichever vitest project it belongs to.
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, ...reporters, '--disable-console-intercept'];
  const stdio = ['ignore', 'inherit', 'inherit'];
  const { code } = await runChild(process.execPath, args, { stdio, env: { ...process.env, ...environment } });
  if (code !== 0) return code ?? 1;
  if (JSON.parse(readFileSync(reportPath, 'utf8')).numPendingTests === 0) return 0;
  console.error(`${file}: a test was skipped: nats-server and MinIO are missing; run npm run setup:servers`);
  return 2;
}
