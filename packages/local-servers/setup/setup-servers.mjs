// Installs the servers that a cluster needs, and a browser for the status page's tests, if the machine lacks them:
// `npm run setup:servers`.
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from '../../../scripts/child-processes.mjs';

/** How each program is installed, and how long it takes. The programs and the browser's names are those of src/find-program.ts. */
const seconds = 'which takes a few seconds';
const sources = [
  { programs: ['nats-server'], takes: seconds, install: () => fromDebian('nats-server', ['nats-server']) },
  {
    programs: ['prometheus', 'promtool'],
    takes: seconds,
    install: () => fromDebian('prometheus', ['prometheus', 'promtool']),
  },
  { programs: ['minio'], takes: minutes(3, 10), install: () => fromGo('github.com/minio/minio@latest') },
  { programs: ['chromium'], takes: seconds, find: findBrowser, install: () => withAptGet('chromium') },
];
/** A Kubernetes cluster without containers, for tests. It takes minutes to compile, so it is installed only on request. */
const kubernetesSources = [
  {
    programs: [
      ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'],
      ...['kwok', 'jobset-controller', 'kustomize'],
    ],
    takes: minutes(10, 15),
    // Go's names for these programs, if they differ.
    install: () => fromGoTools(kubernetesModule, { server: 'etcd', jobset: 'jobset-controller' }),
  },
  {
    programs: ['kueue-controller'],
    takes: minutes(5, 10),
    install: () => fromGoTools(kueueModule, { kueue: 'kueue-controller' }),
  },
  {
    programs: ['kubernetes-crds'],
    takes: seconds,
    find: findFolder,
    install: () => fromGoModules('kubernetes-crds', crds),
  },
];
const kubernetesModule = fileURLToPath(new URL('../../../test/kubernetes', import.meta.url));
const kueueModule = fileURLToPath(new URL('../../../test/kueue', import.meta.url));
/** Folders in Go modules with the definitions of the custom resources in deploy/k8s. */
const crds = {
  'sigs.k8s.io/jobset@v0.11.1': 'config/components/crd/bases',
  'sigs.k8s.io/kueue@v0.17.0': 'config/components/crd/bases',
  'github.com/cert-manager/cert-manager@v1.20.0': 'deploy/crds',
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': 'example/prometheus-operator-crd',
};
const browserNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const { values: options, positionals: asked } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
const cacheBin = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'fourfold', 'bin');

/** How often a long installation reports its progress. */
const progressMs = 15_000;

class SetupError extends Error {}

function minutes(from, to) {
  return `which Go compiles in ${from} to ${to} minutes on two cores, with 2 GB in its caches`;
}

async function main() {
  if (options.help) {
    console.log(`npm run setup:servers [-- PROGRAM ...]

Looks for nats-server, prometheus, promtool and minio on the PATH and in ${cacheBin}, and installs missing programs there: nats-server
and Prometheus from their Debian packages (needs apt-get; nothing is installed on the system), MinIO compiled by \`go install\`
(needs Go; takes three to ten minutes on two cores; GOFLAGS=-p=1 uses fewer cores). A browser, Chromium or Chrome, is looked for on
the PATH; if there is none, root installs it with apt-get install, since it is more than one package. If a program cannot be
installed, the others still are, and the exit code is 2. With names of programs, installs only those. With the name kubernetes,
installs what the tests of deploy/k8s need: it is compiled from the Go modules in test/kubernetes and test/kueue (15 to 25 minutes
on two cores), and only on request.`);
    return;
  }
  mkdirSync(cacheBin, { recursive: true });
  let failed = false;
  const wanted = askedSources();
  for (const source of wanted) {
    const missing = missingOf(source);
    if (missing.length > 0) say(`${missing.join(', ')}: missing; installing it, ${source.takes}`);
  }
  for (const source of wanted) {
    const { programs, install, find = findProgram } = source;
    const missing = missingOf(source);
    if (missing.length === 0) {
      for (const program of programs) say(`${program}: ${find(program)}`);
      continue;
    }
    const startMs = Date.now();
    try {
      await install();
      const seconds = ((Date.now() - startMs) / 1000).toFixed(0);
      say(`${missing.join(', ')}: installed as ${missing.map(find).join(', ')} after ${seconds} s`);
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      failed = true;
      say(
        `${missing.join(', ')} could not be installed: ${error.message}; or put ${missing.length > 1 ? 'them' : 'it'} on the PATH`,
      );
    }
  }
  if (failed) process.exitCode = 2;
}

function missingOf({ programs, find = findProgram }) {
  return programs.filter((program) => !find(program));
}

function askedSources() {
  if (asked.length === 0) return sources;
  const byName = [...sources, ...kubernetesSources].filter(({ programs }) =>
    programs.some((program) => asked.includes(program)),
  );
  return asked.includes('kubernetes') ? [...new Set([...byName, ...kubernetesSources])] : byName;
}

function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), cacheBin];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function findBrowser() {
  return browserNames.map(findProgram).find((path) => path !== undefined);
}

function findFolder(name) {
  const path = join(dirname(cacheBin), name);
  return existsSync(path) ? path : undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Extract programs from a Debian package, which needs no privileges and starts no service. */
async function fromDebian(packageName, programs) {
  await needs('apt-get', ['--version'], `the Debian package ${packageName} needs apt-get`);
  const folder = mkdtempSync(join(tmpdir(), 'fourfold-deb-'));
  const download = () => run('apt-get', ['--quiet', 'download', packageName], { cwd: folder });
  try {
    say(`extracting ${packageName} from its Debian package ...`);
    await download().catch(async (error) => {
      // The package lists may be old, or may never have been fetched.
      await run('apt-get', ['--quiet', 'update']).catch(() => {
        throw error;
      });
      await download();
    });
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['--extract', join(folder, file), join(folder, 'files')]);
    const places = ['usr/bin', 'usr/sbin'].map((place) => join(folder, 'files', place));
    for (const program of programs) {
      const path = places.map((place) => join(place, program)).find(isExecutable);
      if (!path) throw new SetupError(`the Debian package ${packageName} does not contain ${program}`);
      putInPlace(path, program);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Install a package and its dependencies on the system. */
async function withAptGet(packageName) {
  if (process.getuid?.() !== 0) throw new SetupError(`as root, run: apt-get install ${packageName}`);
  await needs('apt-get', ['--version'], `installing ${packageName} needs apt-get`);
  say(`installing ${packageName} with apt-get ...`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const install = () =>
    run('apt-get', ['--quiet', '--yes', '--no-install-recommends', 'install', packageName], options);
  await install().catch(async () => {
    // The package lists may be old, or may never have been fetched.
    await run('apt-get', ['--quiet', 'update']);
    await install();
  });
}

/** Compile a program from its Go module. */
async function fromGo(module) {
  await needs('go', ['version'], `${module} needs Go (https://go.dev/doc/install)`);
  const folder = mkdtempSync(join(cacheBin, '.go-'));
  try {
    say(`compiling ${module} ...`);
    await goInstall([module], { env: { ...process.env, GOBIN: folder } });
    for (const program of readdirSync(folder)) putInPlace(join(folder, program), program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Run `go install`, and report progress: it names each module that it fetches and each package that it compiles. */
async function goInstall(args, options) {
  const beginMs = Date.now();
  const counts = { fetched: 0, compiled: 0 };
  let saidMs = -Infinity;
  const onLine = (line) => {
    if (line.startsWith('go: downloading ')) counts.fetched++;
    else if (/^[\w./~-]+$/.test(line)) counts.compiled++;
    if (Date.now() - saidMs < progressMs) return;
    saidMs = Date.now();
    const passed = ((saidMs - beginMs) / 1000).toFixed(0);
    say(`modules fetched: ${counts.fetched}, packages compiled: ${counts.compiled}, after ${passed} s`);
  };
  await run('go', ['install', '-v', ...args], { ...options, onLine });
}

/** Compile the tools of one of our Go modules, all at once since they share most of their code; `names` maps Go's names to ours. */
async function fromGoTools(moduleFolder, names) {
  await needs('go', ['version'], 'a Kubernetes cluster needs Go (https://go.dev/doc/install)');
  const [, kubernetes] = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(moduleFolder, 'go.mod'), 'utf8'));
  const [major, minor] = kubernetes.slice(1).split('.');
  const version = { gitVersion: kubernetes, gitMajor: major, gitMinor: minor };
  const flags = Object.entries(version).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const folder = mkdtempSync(join(cacheBin, '.go-'));
  try {
    say(`compiling ${basename(moduleFolder)} for Kubernetes ${kubernetes} ...`);
    const args = ['-trimpath', `-ldflags=-s -w ${flags.join(' ')}`, 'tool'];
    await goInstall(args, { cwd: moduleFolder, env: { ...process.env, GOBIN: folder } });
    for (const program of readdirSync(folder)) putInPlace(join(folder, program), names[program] ?? program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copy the YAML files from folders of Go modules into one folder of the cache. */
async function fromGoModules(name, folders) {
  await needs('go', ['version'], `${name} need Go (https://go.dev/doc/install)`);
  const unfinished = mkdtempSync(join(cacheBin, '.crds-'));
  try {
    for (const [module, folder] of Object.entries(folders)) {
      const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', module], { cwd: unfinished }));
      const files = readdirSync(join(Dir, folder)).filter((file) => file.endsWith('.yaml') && !file.startsWith('kust'));
      for (const file of files) copyFileSync(join(Dir, folder, file), join(unfinished, file));
    }
    renameSync(unfinished, join(dirname(cacheBin), name));
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Move a program into the cache folder atomically, so that no process starts an incomplete one. */
function putInPlace(path, program) {
  const unfinished = join(cacheBin, `.${program}.${process.pid}`);
  copyFileSync(path, unfinished);
  renameSync(unfinished, join(cacheBin, program));
}

async function needs(program, args, otherwise) {
  await run(program, args).catch(() => {
    throw new SetupError(`${otherwise}, and ${program} does not run`);
  });
}

/** Run a program to its end; the error of a failure shows the end of its output. */
async function run(program, args, options) {
  const { code, signal, output } = await runChild(program, args, options).catch((error) => {
    throw new SetupError(`${program} does not start: ${error.message}`, { cause: error });
  });
  if (code === 0) return output;
  const outputEnd = output.trim().split('\n').slice(-3).join(' | ');
  throw new SetupError(`${program} ${args.join(' ')} ${signal ? `was ended by ${signal}` : 'failed'}: ${outputEnd}`);
}

const say = (line) => console.error(`servers: ${line}`);

await main();
