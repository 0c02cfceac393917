// Installs the servers that a cluster needs, and a browser for the status page's tests, if the machine lacks them; on request what the
// tests of deploy/k8s need: `npm run setup:servers`.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheFolder } from '@fourfold/common';
import { SetupError } from '@fourfold/tfjs-torch/setup-steps';
import { cacheBin } from '../../cli/dist/servers/find-program.js';
import { goInstall, installMissing, needs, putInPlace, run, say, seconds } from '../../cli/setup/installing.mjs';
import { help, servers, sourcesOf } from '../../cli/setup/servers.mjs';
import { layOutBase } from '../../../scripts/base-image.mjs';
import { findBrowser } from '../dist/find-program.js';
import { layOutNode } from './node-system.mjs';

/** For the tests. */
const browser = { programs: ['chromium'], takes: seconds, find: findBrowser, install: () => withAptGet('chromium') };
const compiled = 'which takes minutes: Go compiles it, with gigabytes in its caches';
/** A Kubernetes cluster for tests, only on request. */
const kubernetesSources = [
  {
    programs: [
      ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'],
      ...['kwok', 'jobset-controller', 'kustomize'],
    ],
    takes: compiled,
    // Go's names for these programs, if they differ.
    install: () => fromGoTools(kubernetesModule, { server: 'etcd', jobset: 'jobset-controller' }),
  },
  {
    programs: ['kubelet', 'kube-proxy', 'kube-network-policies', 'coredns'],
    takes: compiled,
    install: () => fromGoTools(nodeModule, {}),
  },
  {
    programs: ['kubectl', 'helm', 'cert-manager'],
    takes: compiled,
    install: () => fromGoTools(toolsModule, {}),
  },
  {
    programs: ['kubernetes-node'],
    takes: seconds,
    find: findFolder,
    install: () => fillFolder('kubernetes-node', layOutNode),
  },
  {
    programs: ['kubernetes-base'],
    takes: seconds,
    // It holds this Node.js.
    find: (name) => (findFolder(join(name, nodeMark)) ? findFolder(name) : undefined),
    install: () =>
      fillFolder('kubernetes-base', async (folder, downloads) => {
        await layOutBase(folder, downloads);
        writeFileSync(join(folder, nodeMark), '');
      }),
  },
  {
    programs: ['kueue-controller'],
    takes: compiled,
    install: () => fromGoTools(kueueModule, { kueue: 'kueue-controller' }),
  },
  {
    programs: ['kubernetes-crds'],
    takes: seconds,
    find: findFolder,
    install: () => fromGoModules('kubernetes-crds', crds),
  },
];
const nodeMark = `node-${process.version}`;
const kubernetesModule = fileURLToPath(new URL('../../../test/kubernetes', import.meta.url));
const toolsModule = fileURLToPath(new URL('../../../test/kubernetes-tools', import.meta.url));
const nodeModule = fileURLToPath(new URL('../../../test/kubernetes-node', import.meta.url));
const kueueModule = fileURLToPath(new URL('../../../test/kueue', import.meta.url));
/** Folders in Go modules with the definitions of the custom resources in deploy/k8s. */
const crds = {
  'sigs.k8s.io/jobset@v0.11.1': 'config/components/crd/bases',
  'sigs.k8s.io/kueue@v0.17.0': 'config/components/crd/bases',
  'github.com/cert-manager/cert-manager@v1.20.0': 'deploy/crds',
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': 'example/prometheus-operator-crd',
};

const { values: options, positionals: asked } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});

async function main() {
  if (options.help) {
    console.log(`npm run setup:servers [-- PROGRAM ...]

${help}
A browser, Chromium or Chrome, is looked for on the PATH and in the usual folders; if there is none, root installs it with apt-get install, since it is more
than one package. With the name kubernetes, installs what the tests of deploy/k8s need: it is compiled from the Go modules in
test/kubernetes, test/kubernetes-tools, test/kubernetes-node and test/kueue, which takes long where Go's caches are empty, and only on request.`);
    return;
  }
  await installMissing(askedSources());
}

function askedSources() {
  const usual = [...servers, browser];
  if (asked.length === 0) return usual;
  const byName = sourcesOf([...usual, ...kubernetesSources], asked);
  return asked.includes('kubernetes') ? [...new Set([...byName, ...kubernetesSources])] : byName;
}

function findFolder(name) {
  const path = join(cacheFolder(), name);
  return existsSync(path) ? path : undefined;
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

/** Compile the tools of one of our Go modules, all at once since they share most of their code; `names` maps Go's names to ours. */
async function fromGoTools(moduleFolder, names) {
  await needs('go', ['version'], 'a Kubernetes cluster needs Go (https://go.dev/doc/install)');
  const [, kubernetes] = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(moduleFolder, 'go.mod'), 'utf8'));
  const [major, minor] = kubernetes.slice(1).split('.');
  const version = { gitVersion: kubernetes, gitMajor: major, gitMinor: minor };
  const flags = Object.entries(version).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const folder = mkdtempSync(join(cacheBin(), '.go-'));
  try {
    say(`compiling ${basename(moduleFolder)} for Kubernetes ${kubernetes} ...`);
    const args = ['-trimpath', `-ldflags=-s -w ${flags.join(' ')}`, 'tool'];
    await goInstall(args, { cwd: moduleFolder, env: { ...process.env, GOBIN: folder } });
    for (const program of readdirSync(folder)) putInPlace(join(folder, program), names[program] ?? program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Make a folder of the cache, whole or not at all; `fill` has an empty folder, and another one for what it downloads. */
async function fillFolder(name, fill) {
  await needs('apt-get', ['--version'], `${name} needs apt-get`);
  const unfinished = mkdtempSync(join(cacheFolder(), '.unfinished-'));
  try {
    const [files, downloads] = ['files', 'downloads'].map((one) => join(unfinished, one));
    mkdirSync(files);
    mkdirSync(downloads);
    await fill(files, downloads);
    rmSync(join(cacheFolder(), name), { recursive: true, force: true });
    renameSync(files, join(cacheFolder(), name));
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** Copy the YAML files from folders of Go modules into one folder of the cache. */
async function fromGoModules(name, folders) {
  await needs('go', ['version'], `${name} need Go (https://go.dev/doc/install)`);
  const unfinished = mkdtempSync(join(cacheBin(), '.crds-'));
  try {
    for (const [module, folder] of Object.entries(folders)) {
      const { Dir } = JSON.parse(await run('go', ['mod', 'download', '-json', module], { cwd: unfinished }));
      const files = readdirSync(join(Dir, folder)).filter((file) => file.endsWith('.yaml') && !file.startsWith('kust'));
      for (const file of files) copyFileSync(join(Dir, folder, file), join(unfinished, file));
    }
    renameSync(unfinished, join(cacheFolder(), name));
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

await main();
