// npm run conformance -- [--filter TEXT] [--device cpu|cuda] [--json]: TensorFlow.js's own test suite, which its package
// ships, on `torch`.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from '../setup/child-processes.mjs';
import { buildSuite, suiteFile } from './build.mjs';

const { values: options } = parseArgs({
  options: {
    filter: { type: 'string', default: '' },
    device: { type: 'string', default: 'cpu' },
    json: { type: 'boolean' },
  },
});
const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const reportFile = path('../out/conformance.json');

await buildSuite();
mkdirSync(path('../out'), { recursive: true });
rmSync(reportFile, { force: true });
// The tests' output goes to standard error: standard output is for the report.
const { code, signal } = await runChild(process.execPath, [suiteFile], {
  stdio: ['ignore', 2, 2],
  env: {
    ...process.env,
    CONFORMANCE_FILTER: options.filter,
    CONFORMANCE_DEVICE: options.device,
    CONFORMANCE_REPORT: reportFile,
  },
});

let text;
try {
  text = readFileSync(reportFile, 'utf8');
} catch {
  console.error(`conformance: the tests ended without a report (${signal ?? `exit status ${code}`})`);
  process.exit(2);
}
const { passed, pending, failed, finished } = JSON.parse(text);
if (!finished) {
  const name = readFileSync(`${reportFile}.current`, 'utf8');
  console.error(`conformance: the tests ended in the middle of ${name} (${signal ?? `exit status ${code}`})`);
  process.exit(2);
}
if (options.json) console.log(text);
else {
  for (const { name, messages } of failed) console.log(`${name}\n    ${messages.join('\n').split('\n')[0]}`);
  console.log(`${passed} passed, ${failed.length} failed, ${pending} pending; messages: ${reportFile}`);
}
if (passed + failed.length === 0) {
  console.error(`conformance: no test ran: no name contains --filter ${options.filter}`);
  process.exit(2);
}
process.exit(failed.length === 0 ? 0 : 1);
