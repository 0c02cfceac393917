// Where libtorch is on this machine, and how to get it from PyPI.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** What the person who sets up can act on: said on one line, or with what a program said. */
export class SetupError extends Error {}

/** The wheel's version where nobody names one. */
const wheelVersion = '2.15.0';

const python = process.env.PYTHON ?? 'python3';

/** Describe the libtorch in a folder: version, C++ ABI, CUDA headers beside it; undefined where there is none. */
export function describeLibtorch(folder) {
  const header = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h']
    .map((path) => join(folder, path))
    .find((path) => existsSync(path) && /TORCH_VERSION_MAJOR \d/.test(readFileSync(path, 'utf8')));
  if (!header || !existsSync(join(folder, 'lib'))) return undefined;
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(text)[1]);
  const config = join(folder, 'share/cmake/Torch/TorchConfig.cmake');
  const cxx11Abi = existsSync(config) && /_GLIBCXX_USE_CXX11_ABI=0/.test(readFileSync(config, 'utf8')) ? 0 : 1;
  return { folder, version: version.join('.'), cxx11Abi, cudaIncludes: cudaIncludesOf(folder) };
}

/** Folders with CUDA's headers: of a toolkit, or of the packages that PyTorch's wheel depends on. */
function cudaIncludesOf(folder) {
  if (!existsSync(join(folder, 'lib/libtorch_cuda.so'))) return undefined;
  const packages = join(dirname(folder), 'nvidia');
  const inPackages = existsSync(packages) ? readdirSync(packages).map((name) => join(packages, name, 'include')) : [];
  const toolkits = [process.env.CUDA_HOME, process.env.CUDA_PATH, '/usr/local/cuda']
    .filter((path) => path !== undefined)
    .map((path) => join(path, 'include'));
  for (const includes of [toolkits, inPackages]) {
    const there = includes.filter((path) => existsSync(path));
    const hasAll = ['cuda_runtime_api.h', 'crt/host_defines.h', 'cusparse.h', 'cublas_v2.h', 'cusolverDn.h'].every(
      (header) => there.some((path) => existsSync(join(path, header))),
    );
    if (hasAll) return there;
  }
  return undefined;
}

/** libtorch in a named folder, else the machine's PyTorch, else what an earlier set-up installed. */
export function findLibtorch({ folder, version }) {
  if (folder) {
    const described = describeLibtorch(folder);
    if (!described) {
      throw new SetupError(`${folder} holds no libtorch: name the folder that has its lib and include folders`);
    }
    return described;
  }
  const places = version ? [cacheFolder(version)] : [pythonTorch(), cacheFolder(wheelVersion)];
  for (const place of places) {
    const described = place && describeLibtorch(place);
    if (described) return described;
  }
  return undefined;
}

/** The folder of the PyTorch that python3 would import; importing it would take seconds. */
function pythonTorch() {
  const script =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
  const { status, stdout } = spawnSync(python, ['-c', script], { encoding: 'utf8' });
  return status === 0 && stdout.trim() ? stdout.trim() : undefined;
}

const cacheRoot = () => process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const siteFolder = (version) => join(cacheRoot(), 'tfjs-torch', `libtorch-${version}`);
const cacheFolder = (version) => join(siteFolder(version), 'torch');

/** Install PyTorch's wheel into the cache folder: without its Python dependencies, and without CUDA's libraries where not wanted. */
export async function installLibtorch({ version = wheelVersion, wantsCuda, run, needs }) {
  await needs(
    python,
    ['-m', 'pip', '--version'],
    'pip, which gets libtorch from PyPI,',
    'install Python 3 with pip, or name a libtorch in LIBTORCH',
  );
  const site = siteFolder(version);
  const unfinished = `${site}.${process.pid}`;
  mkdirSync(dirname(site), { recursive: true });
  const flags = ['--quiet', '--disable-pip-version-check', '--no-compile', '--no-deps', '--target', unfinished];
  const pip = async (...packages) => {
    try {
      await run(python, ['-m', 'pip', 'install', ...flags, ...packages]);
    } catch (error) {
      const reason = error.message.split('\n').findLast((line) => line.startsWith('ERROR: ')) ?? error.message;
      const what = `libtorch ${version} could not be installed from PyPI (${reason.replace('ERROR: ', '')})`;
      throw new SetupError(`${what}: name another --version, or a libtorch in LIBTORCH`, { cause: error });
    }
  };
  console.error(`tfjs-torch: installing libtorch ${version} from PyPI into ${site} ...`);
  try {
    await pip(`torch==${version}`);
    const libraries = requirements(unfinished).filter((name) => wantsCuda || /cupti|cuda[-_]runtime/.test(name));
    if (libraries.length > 0) await pip(...libraries);
    rmSync(site, { recursive: true, force: true });
    renameSync(unfinished, site);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return describeLibtorch(cacheFolder(version));
}

/** NVIDIA's packages that the installed wheel asks for; without them even its CPU part does not load. */
function requirements(site) {
  const metadata = readdirSync(site).find((name) => /^torch-.*\.dist-info$/.test(name));
  const lines = readFileSync(join(site, metadata, 'METADATA'), 'utf8').split('\n');
  const wanted = lines.flatMap((line) => /^Requires-Dist: ([^;]*)/.exec(line)?.[1].trim() ?? []);
  const nvidia = wanted.filter((name) => name.startsWith('nvidia-'));
  const toolkit = wanted.find((name) => name.startsWith('cuda-toolkit'));
  if (!toolkit) return nvidia;
  // Since 2.10 a package of packages names them, by version.
  const [, extras, version] = /\[([^\]]*)\]==([\d.]+)/.exec(toolkit);
  const names = { cudart: 'nvidia-cuda-runtime', cupti: 'nvidia-cuda-cupti', nvrtc: 'nvidia-cuda-nvrtc' };
  return [
    ...nvidia,
    // The runtime's headers include the compiler's, which are a package that nothing depends on.
    ...[...extras.split(','), 'cuda-crt'].map(
      (extra) => `${names[extra] ?? `nvidia-${extra}`}==${version.split('.').slice(0, 2).join('.')}.*`,
    ),
  ];
}
