// The bases of the images where no registry answers, with this machine's own Node.js and npm: a few Debian packages to run on, without a shell but busybox's,
// and a Debian to compile on.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { runChild } from './child-processes.mjs';

/** What Node.js's binary links to, the authorities that HTTPS trusts, and the commands that the Dockerfile's steps run. */
export const packages = [
  'base-files',
  'busybox-static',
  'ca-certificates',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'netbase',
];
/** Nothing reads these in a container: manuals, and conversions of character sets that Node.js brings itself. */
const superfluous = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/lib/x86_64-linux-gnu/gconv',
];

/** How an engine makes the base of the folder. */
export const baseDockerfile = `FROM scratch
COPY . /
ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
`;

/** Fill an empty folder with the base's files. `downloads` is another empty folder. Throws with a program's output if one fails. */
export async function layOutBase(folder, downloads) {
  await run('apt-get', ['--quiet', 'download', ...packages], { cwd: downloads });
  for (const file of readdirSync(downloads).sort()) {
    await run('dpkg-deb', ['--extract', join(downloads, file), folder]);
    // Where scanners look for packages in an image without dpkg.
    const { stdout } = await run('dpkg-deb', ['--field', join(downloads, file)]);
    write(join(folder, 'var/lib/dpkg/status.d', file.split('_')[0]), stdout);
  }
  for (const path of superfluous) rmSync(join(folder, path), { recursive: true, force: true });
  const { stdout } = await run(join(folder, 'bin/busybox'), ['--list-full']);
  for (const path of stdout.split('\n').filter(Boolean)) link('/bin/busybox', join(folder, path));
  copyNode(join(folder, 'usr/local'));
  // What the packages' own scripts would write.
  const authorities = join(folder, 'usr/share/ca-certificates/mozilla');
  const texts = readdirSync(authorities)
    .sort()
    .map((name) => readFileSync(join(authorities, name), 'utf8'));
  write(join(folder, 'etc/ssl/certs/ca-certificates.crt'), texts.join(''));
  write(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/false\n');
  write(join(folder, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\n');
}

/** Fill an empty folder with a Debian of this machine's release, which has apt-get, and with this machine's Node.js: for steps that compile. */
export async function layOutBuilder(folder) {
  const [, release] = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8')) ?? [];
  await run('debootstrap', ['--variant=minbase', '--include=ca-certificates', release, folder]);
  // What is different each time.
  for (const path of ['var/log', 'var/cache', 'var/lib/apt/lists']) emptyFolder(join(folder, path));
  copyNode(join(folder, 'usr/local'));
}

function copyNode(folder) {
  const npm = join(dirname(process.execPath), '../lib/node_modules/npm');
  if (!existsSync(npm)) throw new Error(`${npm} does not exist: this Node.js has no npm beside it`);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  cpSync(process.execPath, join(folder, 'bin/node'));
  chmodSync(join(folder, 'bin/node'), 0o755);
  cpSync(npm, join(folder, 'lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true });
  for (const name of ['npm', 'npx']) link(`../lib/node_modules/npm/bin/${name}-cli.js`, join(folder, 'bin', name));
}

/** apt-get and dpkg need the folders in it. */
function emptyFolder(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (!entry.isDirectory()) rmSync(join(entry.parentPath, entry.name));
}

function link(target, path) {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) symlinkSync(target, path);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function run(program, args, options) {
  const ended = await runChild(program, args, options).catch(({ code }) => {
    throw new Error(
      `${program} does not run here (${code}): on Debian apt-get installs it; else name a base with --node`,
    );
  });
  if (ended.code === 0) return ended;
  throw new Error(`${program} ${args[0]} failed: ${ended.output.trim().split('\n').slice(-3).join(' | ')}`);
}
