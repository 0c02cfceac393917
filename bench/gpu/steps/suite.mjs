// TensorFlow.js's own test suite: a sample of each kernel's tests, or all. A test that crashes the process or the device is reported,
// and the suite goes on after it.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from '../../../scripts/child-processes.mjs';
import { device, expect, folder, inProject, report, small } from './step.mjs';

const sample = small ? '1' : process.argv[3];
const file = join(folder, `conformance-${sample || 'all'}.json`);
/** So many crashes are one fault. */
const mostCrashes = 10;

/** Run the tests after a name; returns the report, and the test in which the process ended too early, if so. */
async function runSuite(after) {
  for (const path of [file, `${file}.current`]) rmSync(path, { force: true });
  const env = {
    CONFORMANCE_DEVICE: device,
    CONFORMANCE_SAMPLE: sample,
    CONFORMANCE_AFTER: after,
    CONFORMANCE_REPORT: file,
  };
  const { code, signal } = await runChild(process.execPath, [inProject('packages/tfjs-torch/dist/conformance.mjs')], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  });
  const current = existsSync(`${file}.current`) ? readFileSync(`${file}.current`, 'utf8') : undefined;
  expect(current, `the tests did not begin: ${signal ?? `exit status ${code}`}`);
  const found = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, pending: 0, failed: [] };
  return { found, crashed: found.finished ? undefined : current };
}

const total = { passed: 0, pending: 0 };
const failed = [];
const crashed = [];
for (let after = ''; after !== undefined && crashed.length < mostCrashes;) {
  const { found, crashed: name } = await runSuite(after);
  total.passed += found.passed;
  total.pending += found.pending;
  failed.push(...found.failed);
  if (name !== undefined) crashed.push(name);
  after = name;
}
/** Documented: in deterministic mode an operator without such an algorithm throws. */
const isRefusal = ({ messages }) => messages.every((message) => /deterministic/.test(message));
const faults = failed.filter((failure) => !isRefusal(failure));
report({
  ...total,
  failed: faults.length,
  refusedAsNondeterministic: failed.length - faults.length,
  crashed,
  faults: faults.slice(0, 40).map(({ name, messages }) => `${name}: ${messages.join(' ').slice(0, 160)}`),
});
expect(
  faults.length + crashed.length === 0,
  `${faults.length} tests fail, ${crashed.length} end the process or device`,
);
expect(total.passed > 0, 'no test ran');
