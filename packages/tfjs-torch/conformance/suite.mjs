// The bundle's entry: TensorFlow.js's own tests on the backend `torch`. Environment variables: CONFORMANCE_FILTER selects those whose
// name contains it, CONFORMANCE_SAMPLE at most that many of each kernel's, CONFORMANCE_AFTER those that come after the one of that name.
// CONFORMANCE_DEVICE is the device, and CONFORMANCE_REPORT is the file for the report, as JSON: {passed, pending, failed: [{name,
// messages}], finished}. A file beside it, with `.current` at the end, has the name of the test that runs.
import { writeFileSync } from 'node:fs';
import { jasmineEnv } from './environment.mjs';
import '@tensorflow/tfjs-core/dist/tests.js';

const { CONFORMANCE_FILTER: filter = '', CONFORMANCE_AFTER: after, CONFORMANCE_REPORT: file } = process.env;
const most = Number(process.env.CONFORMANCE_SAMPLE || Infinity);
const report = { passed: 0, pending: 0, failed: [], finished: false };

const countOf = new Map();
let isAfter = !after;

/** Whether a test runs; called once for each, in their order. */
function isWanted(spec) {
  const name = spec.getFullName();
  const isNow = isAfter;
  isAfter ||= name === after;
  if (!isNow || !name.includes(filter)) return false;
  const [kernel] = spec.getPath();
  const count = (countOf.get(kernel) ?? 0) + 1;
  countOf.set(kernel, count);
  return count <= most;
}

const wanted = new Map();
jasmineEnv.configure({
  random: false,
  specFilter(spec) {
    if (!wanted.has(spec.id)) wanted.set(spec.id, isWanted(spec));
    return wanted.get(spec.id);
  },
});

/** After such an error every later kernel on the device fails, too. */
const endsDevice = (messages) => messages.some((message) => /CUDA error|device-side assert/.test(message));
const write = () => writeFileSync(file, JSON.stringify(report, undefined, 2));

function fail({ fullName = 'outside of all specs', failedExpectations }) {
  const messages = failedExpectations.map(({ message }) => message);
  report.failed.push({ name: fullName, messages });
  write();
  if (endsDevice(messages)) process.exit(1);
}
const failIfAny = (result) => result.failedExpectations.length > 0 && fail(result);

jasmineEnv.addReporter({
  specStarted: ({ fullName }) => writeFileSync(`${file}.current`, fullName),
  specDone(result) {
    if (result.status === 'passed') report.passed++;
    else if (result.status === 'pending') report.pending++;
    else if (result.status === 'failed') fail(result);
    // Known even if the process ends in the middle.
    if (report.passed % 50 === 0) write();
  },
  // Failures before or after the specs of a suite, or outside of all suites.
  suiteDone: failIfAny,
  jasmineDone: failIfAny,
});
await jasmineEnv.execute();
report.finished = true;
write();
process.exit(report.failed.length === 0 ? 0 : 1);
