import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { lacks } from '../../../test/support/needs.mjs';

const script = fileURLToPath(new URL('../setup/setup-torch.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tfjs-torch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Does not exist, so nothing is compiled and an existing set-up stays. */
const nowhere = join(folder, 'nowhere');

test.each([
  ['a folder without libtorch', ['--libtorch', nowhere], {}, `${nowhere} does not contain libtorch`],
  ['LIBTORCH without libtorch', [], { LIBTORCH: nowhere }, `${nowhere} does not contain libtorch`],
  ['no compiler', [], { CXX: nowhere }, `a C++ compiler is needed, but ${nowhere} does not run`],
  ['neither libtorch nor Python', [], { PYTHON: nowhere, LIBTORCH: undefined }, `but ${nowhere} does not run: install`],
  ['a version that is too old', ['--version', '2.3.1'], {}, '--version asks for libtorch 2.3.1, but 2.4.0 or later'],
  ['not a version', ['--version', 'newest'], {}, '--version newest does not look like'],
  ['an unknown option', ['--fast'], {}, "Unknown option '--fast'; --help"],
])('set-up refuses on one line: %s', (_, args, environment, reason) => {
  const { status, stdout, stderr } = setUp(args, environment);
  expect(stderr).toMatch(/^tfjs-torch: [^\n]*\n$/);
  expect(stderr).toContain(reason);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});

function setUp(args: string[], environment: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    // A cache folder without libtorch, and a compiler that runs.
    env: { ...process.env, XDG_CACHE_HOME: folder, CXX: process.execPath, ...environment },
  });
}

/** Write files by their paths below a folder. */
function write(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** Create the parts of a PyTorch's site-packages that set-up reads; returns libtorch's folder. */
function createTorch(name: string, files: Record<string, string>): string {
  const version = ['MAJOR 2', 'MINOR 15', 'PATCH 0'].map((part) => `#define TORCH_VERSION_${part}\n`).join('');
  write(join(folder, name), {
    'torch/include/torch/headeronly/version.h': version,
    'torch/lib/libc10.so': '',
    ...files,
  });
  return join(folder, name, 'torch');
}

/** A GPU machine's own toolkit, whose headers need not be installed. */
const hasToolkit = existsSync('/usr/local/cuda/include/cusparse.h');
const noToolkit = { CUDA_HOME: undefined, CUDA_PATH: undefined };
const cudaLibrary = { 'torch/lib/libtorch_cuda.so': '' };

test('--cuda is refused if libtorch has no CUDA', () => {
  const libtorch = createTorch('cpu', {});
  const { status, stderr } = setUp(['--cuda', '--libtorch', libtorch], noToolkit);
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: `tfjs-torch: the libtorch in ${libtorch} has no CUDA: name one with CUDA in LIBTORCH, or a --version\n`,
  });
});

test.skipIf(lacks('no-cuda', !hasToolkit))(
  '--cuda is refused if headers are missing and no package is known to have them',
  () => {
    const libtorch = createTorch('no-wheel', cudaLibrary);
    const { status, stderr } = setUp(['--cuda', '--libtorch', libtorch], noToolkit);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tfjs-torch: cuda_runtime_api.h, [^\n]*nv\/target of CUDA are missing beside [^\n]*CUDA_HOME\n$/,
    );
  },
);

test.skipIf(lacks('no-cuda', !hasToolkit))('headers that a PyTorch lacks are installed beside it', () => {
  const headers = ['cuda_runtime_api.h', 'cusparse.h', 'cublas_v2.h', 'cusolverDn.h', 'cccl/nv/target'];
  const libtorch = createTorch('wheel', {
    ...cudaLibrary,
    ...Object.fromEntries(headers.map((header) => [`nvidia/cu13/include/${header}`, ''])),
    'torch-2.15.0.dist-info/METADATA': 'Requires-Dist: cuda-toolkit[cublas,cudart]==13.2.1; platform_system == "Linux"',
  });
  // A fake pip: its last arguments are a folder and the packages to install there.
  const pip = join(folder, 'pip');
  const include = '"$8/nvidia/cu13/include/crt"';
  write(folder, {
    pip: `#!/bin/sh\n[ "$3" = install ] || exit 0\nmkdir -p ${include} && echo "$*" > ${include}/host_defines.h\n`,
  });
  chmodSync(pip, 0o755);
  const { stderr } = setUp(['--cuda', '--libtorch', libtorch], { ...noToolkit, PYTHON: pip });
  const [first, second] = stderr.split('\n');
  expect(first).toBe('tfjs-torch: installing missing parts of CUDA from PyPI: crt/host_defines.h ...');
  expect(second).toBe(`tfjs-torch: compiling for libtorch 2.15.0 in ${libtorch}, with CUDA ...`);
  const installed = join(folder, 'tfjs-torch/cuda-headers-2.15.0/nvidia/cu13/include/crt/host_defines.h');
  expect(readFileSync(installed, 'utf8')).toMatch(/--target \S+ cuda-toolkit\[crt\]==13\.2\.1\n$/);
});

/** A copy of the package, a libtorch without code, and a compiler that always makes the same addon and counts its calls. */
function createPackage(root: string) {
  const headers = 'node-api-headers';
  const compiler = [
    '#!/bin/sh',
    `cd ${root}`,
    '[ "$1" = --version ] && exec cat version',
    'echo >> compilations',
    'while [ "$1" != -o ]; do shift; done',
    'cp addon.so "$2"',
  ];
  write(root, {
    'package/package.json': '{"type":"module"}',
    'package/addon/addon.cc': '',
    'addon.cc': 'extern "C" void* napi_register_module_v1(void*, void* exports) { return exports; }',
    compiler: compiler.join('\n'),
    compilations: '',
    version: 'c++ 1',
  });
  chmodSync(join(root, 'compiler'), 0o755);
  cpSync(dirname(script), join(root, 'package/setup'), { recursive: true });
  mkdirSync(join(root, 'node_modules'));
  const installed = dirname(createRequire(script).resolve(`${headers}/package.json`));
  symlinkSync(installed, join(root, 'node_modules', headers));
  const { status, stderr } = spawnSync('c++', ['-shared', '-fPIC', 'addon.cc', '-o', 'addon.so'], { cwd: root });
  expect(status, stderr.toString()).toBe(0);
  return createTorch(join(basename(root), 'torch'), {});
}

test.skipIf(lacks('torch', spawnSync('c++', ['--version']).status === 0 && process.platform === 'linux'))(
  'an addon is compiled again only if its sources, libtorch, compiler or flags have changed, or if it does not load',
  () => {
    const root = join(folder, 'copied');
    const libtorch = createPackage(root);
    const addon = join(root, 'package/build/torch.node');
    const calls = () => readFileSync(join(root, 'compilations'), 'utf8').length;
    const compiles = () => {
      const before = calls();
      const args = [join(root, 'package/setup/setup-torch.mjs'), '--libtorch', libtorch];
      const env = { ...process.env, CXX: join(root, 'compiler') };
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
      expect(status, stderr).toBe(0);
      if (calls() > before) return stderr.includes('tfjs-torch: ready after');
      expect(stderr).toContain(`tfjs-torch: ${addon} exists, for libtorch 2.15.0 in ${libtorch}\n`);
      return false;
    };
    expect([compiles(), compiles()]).toEqual([true, false]);
    const changes: Record<string, () => void> = {
      'another source': () => write(root, { 'package/addon/values.h': '' }),
      'another compiler': () => write(root, { version: 'c++ 2' }),
      'another build of libtorch': () => write(libtorch, { 'lib/libc10.so': 'another' }),
      'another ABI': () => write(libtorch, { 'share/cmake/Torch/TorchConfig.cmake': '_GLIBCXX_USE_CXX11_ABI=0' }),
      'a damaged addon': () => write(root, { 'package/build/torch.node': 'damaged' }),
    };
    for (const [name, change] of Object.entries(changes)) {
      change();
      expect([name, compiles()]).toEqual([name, true]);
    }
    expect(compiles()).toBe(false);
  },
);
