/** What `.ci/run` sets up. */
type SetUp =
  | 'torch'
  | 'tensorflow'
  | 'webgpu'
  | 'servers'
  | 'browser'
  | 'kubernetes'
  | 'runtimes'
  | 'python-onnx'
  | 'python-webdataset'
  | 'linux';

/** What depends on the machine. Tests of the Dockerfile and of the image take minutes, so they wait to be asked for. */
type Other = 'python-safetensors' | 'lpips' | 'no-cuda' | 'no-tensorflow' | 'dockerfile' | 'image' | 'guide' | 'nodes';

/** Whether a test lacks `need`, so that it is skipped; throws if that was set up. `detail` says why it is not found. */
export function lacks(need: SetUp | Other, found: boolean, detail?: string): boolean;

/** The Python that FOURFOLD_PYTHON names, if it can import these modules; undefined otherwise. */
export function pythonWith(modules: string): string | undefined;
