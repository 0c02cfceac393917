import tf = require('@tensorflow/tfjs-core');
import type { BackendValues, KernelConfig, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import tfCpu = require('@tensorflow/tfjs-backend-cpu');
import type { TorchBackend } from './backend.js';

const { getKernel, util } = tf;
type MathBackendCPU = tfCpu.MathBackendCPU;

let cpuBackend: MathBackendCPU | undefined;

/**
 * Run a kernel of TensorFlow.js's plain JavaScript backend: inputs are copied to JavaScript, and results back. Throws an
 * Error if that backend does not have it either.
 */
export const runOnCpu = (
  kernelName: string,
  { inputs, attrs, backend }: Parameters<KernelConfig['kernelFunc']>[0],
): TensorInfo | TensorInfo[] => {
  const kernel = getKernel(kernelName, 'cpu');
  if (!kernel) throw new Error(`torch: ${kernelName} does not take strings`);
  const torch = backend as TorchBackend;
  const cpu = (cpuBackend ??= createCpu());
  const lent: TensorInfo[] = [];
  const lend = (info: TensorInfo): TensorInfo => {
    const copy = write(cpu, torch.readSync(info.dataId), info);
    lent.push(copy);
    return copy;
  };
  const take = (info: TensorInfo): TensorInfo => torch.make(cpu.readSync(info.dataId), info.shape, info.dtype);
  try {
    const outputs = kernel.kernelFunc({ inputs: mapInputs(inputs, lend), attrs, backend: cpu });
    lent.push(...[outputs].flat());
    return Array.isArray(outputs) ? outputs.map(take) : take(outputs);
  } finally {
    // A result may be an input, which must be freed only once.
    for (const dataId of new Set(lent.map((info) => info.dataId))) cpu.disposeData(dataId, true);
  }
};

/** The JavaScript backend, without the advice to install a faster one that it logs at its first use. */
const createCpu = (): MathBackendCPU => Object.assign(new tfCpu.MathBackendCPU(), { firstUse: false });

/** Copy of a tensor on the JavaScript backend. Some of its kernels read the rank, which tensors have and infos do not. */
function write(
  cpu: MathBackendCPU,
  values: BackendValues,
  { shape, dtype }: TensorInfo,
): TensorInfo & { rank: number } {
  const described = { shape, dtype, rank: shape.length };
  if (dtype !== 'complex64') return { dataId: cpu.write(values, shape, dtype), ...described };
  const dataId = cpu.write([], shape, dtype);
  const pairs = values as Float32Array;
  const part = (offset: 0 | 1) => {
    const numbers = Float32Array.from({ length: util.sizeFromShape(shape) }, (_, i) => pairs[2 * i + offset]);
    return { dataId: cpu.write(numbers, shape, 'float32'), shape, dtype: 'float32' as const };
  };
  cpu.data.get(dataId).complexTensorInfos = { real: part(0), imag: part(1) };
  return { dataId, ...described };
}

/** Inputs are named tensors or lists of them, or one list of tensors. */
function mapInputs(inputs: NamedTensorInfoMap, map: (info: TensorInfo) => TensorInfo): NamedTensorInfoMap {
  const mapOne = (input: TensorInfo | TensorInfo[] | undefined) =>
    Array.isArray(input) ? input.map(map) : input && map(input);
  if (Array.isArray(inputs)) return mapOne(inputs) as unknown as NamedTensorInfoMap;
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, mapOne(input)])) as NamedTensorInfoMap;
}
