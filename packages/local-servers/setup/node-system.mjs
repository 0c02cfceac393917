// The system of the tests' Kubernetes nodes: containerd, runc, CNI's plugins and iptables from Debian's packages, in a folder of their own. Nothing is
// installed on this machine.
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../cli/setup/installing.mjs';

const packages = ['containerd', 'runc', 'containernetworking-plugins', 'iptables', 'iproute2', 'mount'];
/** Names that Debian's alternatives would give iptables. */
const tables = ['iptables', 'iptables-save', 'iptables-restore', 'ip6tables', 'ip6tables-save', 'ip6tables-restore'];

/** Fill an empty folder with the packages and all that they depend on. `downloads` is another empty folder. Throws `SetupError`. */
export async function layOutNode(folder, downloads) {
  mkdirSync(join(downloads, 'partial'));
  // With no package installed, apt-get takes every dependency.
  const status = join(downloads, 'status');
  writeFileSync(status, '');
  const places = [`Dir::State::status=${status}`, `Dir::Cache::archives=${downloads}/`, 'APT::Sandbox::User=root'];
  const options = places.flatMap((place) => ['--option', place]);
  await run('apt-get', [
    ...['--quiet', '--yes', '--no-install-recommends', '--download-only', ...options],
    ...['install', ...packages],
  ]);
  for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb')))
    await run('dpkg-deb', ['--extract', join(downloads, file), folder]);
  for (const name of tables) symlinkSync('xtables-nft-multi', join(folder, 'usr/sbin', name));
}
