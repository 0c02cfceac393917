import { join } from 'node:path';
import { identityEnvironment, makeCertificates } from '@fourfold/rpc/certificates';

export const joinToken = 'the-token-of-the-secured-runs';

/** Certificates of the tests' own authority, below `folder`. */
export const makeTestCertificates = (folder: string, authority = 'ours') =>
  makeCertificates(join(folder, authority), { days: 1, hosts: ['127.0.0.1'] });

/** The environment of a process with a certificate of `makeTestCertificates` and the token. */
export const environmentOf = (folder: string, name: string, authority = 'ours') => ({
  ...identityEnvironment(join(folder, authority), name),
  FOURFOLD_JOIN_TOKEN: joinToken,
});
