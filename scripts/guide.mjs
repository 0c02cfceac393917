// Follows docs/kubernetes.md on a cluster of this machine: npm run guide.
import { runTest } from './run-test.mjs';

process.exitCode = await runTest('test/kubernetes-guide.test.ts', { FOURFOLD_GUIDE: 'follow' });
