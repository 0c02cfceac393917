// The bundle's entry: TensorFlow.js's own tests on the backend `torch`. The environment variable CONFORMANCE_FILTER
// chooses those whose name contains it, and CONFORMANCE_REPORT is the file that the report goes to, as JSON:
// {passed, pending, failed: [{name, messages}]}.
import { writeFileSync } from 'node:fs';
import { jasmineEnv } from './environment.mjs';
import '@tensorflow/tfjs-core/dist/tests.js';

const filter = process.env.CONFORMANCE_FILTER ?? '';
const report = { passed: 0, pending: 0, failed: [] };

jasmineEnv.configure({ random: false, specFilter: (spec) => spec.getFullName().includes(filter) });
jasmineEnv.addReporter({
  specDone({ status, fullName, failedExpectations }) {
    if (status === 'passed') report.passed++;
    else if (status === 'pending') report.pending++;
    else if (status === 'failed') {
      report.failed.push({ name: fullName, messages: failedExpectations.map(({ message }) => message) });
    }
  },
});
await jasmineEnv.execute();
writeFileSync(process.env.CONFORMANCE_REPORT, JSON.stringify(report, undefined, 2));
process.exit(report.failed.length === 0 ? 0 : 1);
