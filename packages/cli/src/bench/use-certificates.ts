import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityEnvironment, makeCertificates } from '@fourfold/rpc/certificates';

/** Make an authority and certificates for this process and those that it starts, in a temporary folder that `remove` removes. */
export async function useCertificates(): Promise<{ remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-bench-'));
  await makeCertificates(folder, { days: 1, hosts: [] });
  // With all roles: what TLS costs does not depend on them.
  Object.assign(process.env, identityEnvironment(folder, 'local'));
  return { remove: () => rm(folder, { recursive: true, force: true }) };
}
