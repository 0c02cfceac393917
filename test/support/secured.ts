import { join } from 'node:path';
import { identityEnvironment, makeCertificates } from '@fourfold/rpc/certificates';
import { startFourfold, type Process } from './process.js';
import type { SmallRun } from './small-run.js';

export const joinToken = 'the-token-of-the-secured-runs';

/** Certificates of the tests' own authority, below `folder`. */
export const makeTestCertificates = (folder: string, authority = 'ours') =>
  makeCertificates(join(folder, authority), { days: 1, hosts: ['127.0.0.1'] });

/** The environment of a process with a certificate of `makeTestCertificates` and the token. */
export const environmentOf = (folder: string, name: string, authority = 'ours') => ({
  ...identityEnvironment(join(folder, authority), name),
  FOURFOLD_JOIN_TOKEN: joinToken,
});

/** Start a part of a run with these variables. */
export const startPart = (
  role: string,
  run: SmallRun,
  environment: Record<string, string>,
  ...args: string[]
): Process => startFourfold([role, ...run.configArgs, ...args], [], environment);
