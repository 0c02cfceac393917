// Finds libtorch on this machine, or installs it from PyPI.
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { runChild } from './child-processes.mjs';
import { needs, run, SetupError } from './steps.mjs';

/** The wheel's default version. */
const wheelVersion = '2.15.0';

const python = process.env.PYTHON ?? 'python3';

/** Describe the libtorch in a folder: version, C++ ABI, its CUDA if it has one; undefined if the folder has no libtorch. */
export function describeLibtorch(folder) {
  const header = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h']
    .map((path) => join(folder, path))
    .find((path) => existsSync(path) && /TORCH_VERSION_MAJOR \d/.test(readFileSync(path, 'utf8')));
  if (!header || !existsSync(join(folder, 'lib'))) return undefined;
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(text)[1]);
  const config = join(folder, 'share/cmake/Torch/TorchConfig.cmake');
  const cxx11Abi = existsSync(config) && /_GLIBCXX_USE_CXX11_ABI=0/.test(readFileSync(config, 'utf8')) ? 0 : 1;
  return { folder, version: version.join('.'), cxx11Abi, cuda: cudaOf(folder, version.join('.')) };
}

/** NVIDIA headers that libtorch's CUDA code includes, and the toolkit component that contains each. */
const cudaHeaders = {
  'cuda_runtime_api.h': 'cudart',
  'crt/host_defines.h': 'crt',
  'cusparse.h': 'cusparse',
  'cublas_v2.h': 'cublas',
  'cusolverDn.h': 'cusolver',
  'nv/target': 'cccl',
};

/**
 * The CUDA of a libtorch: folders with headers, from a toolkit or from the packages that PyTorch's wheel depends on, and the
 * headers missing from all of them; undefined if libtorch has no CUDA.
 */
function cudaOf(folder, version) {
  if (!existsSync(join(folder, 'lib/libtorch_cuda.so'))) return undefined;
  const toolkits = foldersOfToolkits().flatMap(includesOf);
  const inPackages = [dirname(folder), headersFolder(version)]
    .map((site) => join(site, 'nvidia'))
    .flatMap((packages) => (existsSync(packages) ? readdirSync(packages).map((name) => join(packages, name)) : []))
    .flatMap(includesOf);
  const missingIn = (includes) =>
    Object.keys(cudaHeaders).filter((header) => !includes.some((path) => existsSync(join(path, header))));
  // Prefer one source alone: the two may be of different versions.
  const both = [...inPackages, ...toolkits];
  const includes = [toolkits, inPackages].find((folders) => missingIn(folders).length === 0) ?? both;
  return { includes: includes.filter((path) => existsSync(path)), missing: missingIn(includes) };
}

/** Where CUDA's toolkit may be: named, beside the nvcc of the PATH, or in its usual place. */
function foldersOfToolkits() {
  const compiler = (process.env.PATH ?? '')
    .split(delimiter)
    .map((path) => join(path, 'nvcc'))
    .find((path) => existsSync(path));
  const beside = compiler && dirname(dirname(realpathSync(compiler)));
  const folders = [process.env.CUDA_HOME, process.env.CUDA_PATH, beside, '/usr/local/cuda'];
  // The compiler searches /usr/include itself, and must do so last.
  return folders.filter((path) => path && path !== '/usr');
}

/** Folders of headers of a toolkit or a package. Since CUDA 13 only nvcc adds `cccl` itself; conda has them under `targets`. */
const includesOf = (folder) =>
  [join(folder, 'include'), join(folder, 'targets/x86_64-linux/include')].flatMap((path) => [path, join(path, 'cccl')]);

/** libtorch in a named folder, else the machine's PyTorch, else the one that an earlier set-up installed. */
export async function findLibtorch({ folder, version }) {
  if (folder) {
    const described = describeLibtorch(folder);
    if (!described) {
      throw new SetupError(`${folder} does not contain libtorch: name the folder that has its lib and include folders`);
    }
    return described;
  }
  const places = version ? [cacheFolder(version)] : [await pythonTorch(), cacheFolder(wheelVersion)];
  for (const place of places) {
    const described = place && describeLibtorch(place);
    if (described) return described;
  }
  return undefined;
}

/** The folder of the PyTorch that python3 would import, without importing it, which takes seconds. */
async function pythonTorch() {
  const script =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
  const { code, stdout } = await runChild(python, ['-c', script]).catch(() => ({ code: undefined }));
  return code === 0 && stdout.trim() ? stdout.trim() : undefined;
}

const cacheRoot = () => process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const siteFolder = (version) => join(cacheRoot(), 'tfjs-torch', `libtorch-${version}`);
const cacheFolder = (version) => join(siteFolder(version), 'torch');
/** Headers for a libtorch that this set-up did not install. */
const headersFolder = (version) => join(cacheRoot(), 'tfjs-torch', `cuda-headers-${version}`);

/** Install PyTorch's wheel into the cache folder, without its Python dependencies, and without CUDA's libraries unless wanted. */
export async function installLibtorch({ version = wheelVersion, wantsCuda }) {
  const site = siteFolder(version);
  await installInto(site, `libtorch ${version}`, async (pip, unfinished) => {
    console.error(`tfjs-torch: installing libtorch ${version} from PyPI into ${site} ...`);
    await pip('--no-deps', `torch==${version}`);
    // Even its CPU part does not load without these.
    const libraries = requirements(unfinished, wantsCuda ? undefined : ['cupti', 'cudart']);
    if (libraries.length > 0) await pip(...libraries);
  });
  return describeLibtorch(cacheFolder(version));
}

/**
 * The libtorch with all CUDA headers: missing ones are installed from PyPI. Throws if it has no CUDA, or if it is unknown
 * which packages have the headers.
 */
export async function completeCuda({ folder, version, cuda }) {
  if (!cuda)
    throw new SetupError(`the libtorch in ${folder} has no CUDA: name one with CUDA in LIBTORCH, or a --version`);
  if (cuda.missing.length === 0) return describeLibtorch(folder);
  const site = dirname(folder);
  const isHere = folder === cacheFolder(version);
  if (cuda.missing.some((header) => requirements(site, [cudaHeaders[header]]).length === 0)) {
    const what = `${cuda.missing.join(', ')} of CUDA ${cuda.missing.length > 1 ? 'are' : 'is'} missing beside ${folder}`;
    throw new SetupError(`${what}: install CUDA's toolkit, and name its folder in CUDA_HOME`);
  }
  // If our own wheel was installed for the CPU, the libraries are missing too.
  const into = isHere ? join(site, 'nvidia') : headersFolder(version);
  await installInto(into, "CUDA's headers", async (pip, unfinished) => {
    console.error(`tfjs-torch: installing missing parts of CUDA from PyPI: ${cuda.missing.join(', ')} ...`);
    await pip(...requirements(site, isHere ? undefined : cuda.missing.map((header) => cudaHeaders[header])));
    if (!isHere) return;
    // pip would not add to an existing folder.
    for (const name of readdirSync(join(unfinished, 'nvidia'))) {
      renameSync(join(unfinished, 'nvidia', name), join(unfinished, name));
    }
  });
  return describeLibtorch(folder);
}

/** Install packages with pip into a folder, completely or not at all. */
async function installInto(site, what, install) {
  await needs(
    python,
    ['-m', 'pip', '--version'],
    'pip, which gets libtorch from PyPI,',
    'install Python 3 with pip, or name a libtorch in LIBTORCH',
  );
  const unfinished = `${site}.${process.pid}`;
  mkdirSync(dirname(site), { recursive: true });
  const flags = ['--quiet', '--disable-pip-version-check', '--no-compile', '--target', unfinished];
  const pip = async (...packages) => {
    try {
      await run(python, ['-m', 'pip', 'install', ...flags, ...packages]);
    } catch (error) {
      const reason = error.message.split('\n').findLast((line) => line.startsWith('ERROR: ')) ?? error.message;
      const failed = `${what} could not be installed from PyPI (${reason.replace('ERROR: ', '')})`;
      throw new SetupError(`${failed}: name another --version, or a libtorch in LIBTORCH`, { cause: error });
    }
  };
  try {
    await install(pip, unfinished);
    rmSync(site, { recursive: true, force: true });
    renameSync(unfinished, site);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** NVIDIA packages that an installed wheel requires: all, or only some toolkit components. Empty for other installations. */
function requirements(site, only) {
  const metadata = readdirSync(site).find((name) => /^torch-.*\.dist-info$/.test(name));
  if (!metadata) return [];
  const lines = readFileSync(join(site, metadata, 'METADATA'), 'utf8').split('\n');
  const wanted = lines.flatMap((line) => /^Requires-Dist: ([^;]*)/.exec(line)?.[1].trim() ?? []);
  const isWanted = (name) => !only || only.includes(name);
  const nvidia = wanted.filter((name) => name.startsWith('nvidia-') && isWanted(nameInToolkit(name)));
  const toolkit = /^cuda-toolkit\[(.*)\](==[\d.]+)/.exec(wanted.find((name) => name.startsWith('cuda-toolkit')));
  if (!toolkit) return nvidia;
  // Since 2.10 a meta-package names most of them. Their headers include the compiler's (crt) and those of CUDA's C++ library
  // (cccl), which none of them has.
  const [, extras, version] = toolkit;
  const named = [...extras.split(','), 'crt', 'cccl'].filter(isWanted);
  return [...nvidia, ...(named.length > 0 ? [`cuda-toolkit[${named.join()}]${version}`] : [])];
}

/** nvidia-cuda-runtime-cu12==12.4.127 is cudart. */
function nameInToolkit(requirement) {
  const [, name] = /^nvidia-(?:cuda-)?([a-z]+)/.exec(requirement);
  return name === 'runtime' ? 'cudart' : name;
}
