// The bundle's entry: TensorFlow.js's own tests on the backend `torch`. The environment variable CONFORMANCE_FILTER
// selects those whose name contains it, CONFORMANCE_DEVICE is the device, and CONFORMANCE_REPORT is the file for the report, as JSON:
// {passed, pending, failed: [{name, messages}]}.
import { writeFileSync } from 'node:fs';
import { jasmineEnv } from './environment.mjs';
import '@tensorflow/tfjs-core/dist/tests.js';

const filter = process.env.CONFORMANCE_FILTER ?? '';
const report = { passed: 0, pending: 0, failed: [] };

jasmineEnv.configure({ random: false, specFilter: (spec) => spec.getFullName().includes(filter) });
const fail = ({ fullName = 'outside of all specs', failedExpectations }) =>
  report.failed.push({ name: fullName, messages: failedExpectations.map(({ message }) => message) });
const failIfAny = (result) => result.failedExpectations.length > 0 && fail(result);

jasmineEnv.addReporter({
  specDone(result) {
    if (result.status === 'passed') report.passed++;
    else if (result.status === 'pending') report.pending++;
    else if (result.status === 'failed') fail(result);
  },
  // Failures before or after the specs of a suite, or outside of all suites.
  suiteDone: failIfAny,
  jasmineDone: failIfAny,
});
await jasmineEnv.execute();
writeFileSync(process.env.CONFORMANCE_REPORT, JSON.stringify(report, undefined, 2));
process.exit(report.failed.length === 0 ? 0 : 1);
