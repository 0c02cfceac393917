import {
  getKernelsForBackend,
  util,
  type BackendValues,
  type DataType,
  type NamedTensorInfoMap,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { TorchBackend } from './backend.js';
import { defineRaw, registeredKernels } from './kernel.js';

/**
 * Give every kernel that TensorFlow.js's plain JavaScript backend has, and libtorch does not, to that backend: strings,
 * ragged and sparse tensors, non-maximum suppression. Their tensors cross to JavaScript and back.
 */
export function defineFallbacks(): void {
  const cpu = new MathBackendCPU();
  for (const { kernelName, kernelFunc } of getKernelsForBackend('cpu')) {
    if (registeredKernels().has(kernelName)) continue;
    defineRaw(kernelName, ({ inputs, attrs, backend }) => {
      const torch = backend as TorchBackend;
      const lent: TensorInfo[] = [];
      const lend = (info: TensorInfo): TensorInfo => {
        const copy = makeCpu(cpu, torch.valuesOf(info), info.shape, info.dtype);
        lent.push(copy);
        return copy;
      };
      const outputs = kernelFunc({ inputs: mapInputs(inputs, lend), attrs, backend: cpu });
      const take = (info: TensorInfo): TensorInfo => torch.make(cpuValues(cpu, info), info.shape, info.dtype);
      const taken = Array.isArray(outputs) ? outputs.map(take) : take(outputs);
      const ended = new Set([...lent, ...(Array.isArray(outputs) ? outputs : [outputs])].map(({ dataId }) => dataId));
      for (const dataId of ended) cpu.disposeData(dataId, true);
      return taken;
    });
  }
}

const cpuValues = (cpu: MathBackendCPU, { dataId }: TensorInfo): BackendValues => cpu.readSync(dataId);

function makeCpu(cpu: MathBackendCPU, values: BackendValues, shape: number[], dtype: DataType): TensorInfo {
  if (dtype !== 'complex64') return { dataId: cpu.write(values, shape, dtype), shape, dtype };
  const info: TensorInfo = { dataId: cpu.write([] as unknown as Float32Array, shape, 'complex64'), shape, dtype };
  const pairs = values as Float32Array;
  const part = (offset: 0 | 1) => {
    const size = util.sizeFromShape(shape);
    const numbers = Float32Array.from({ length: size }, (_, i) => pairs[2 * i + offset]);
    return { dataId: cpu.write(numbers, shape, 'float32'), shape, dtype: 'float32' as const };
  };
  cpu.data.get(info.dataId).complexTensorInfos = { real: part(0), imag: part(1) };
  return info;
}

function mapInputs(inputs: NamedTensorInfoMap, map: (info: TensorInfo) => TensorInfo): NamedTensorInfoMap {
  if (Array.isArray(inputs)) return (inputs as TensorInfo[]).map(map) as unknown as NamedTensorInfoMap;
  return Object.fromEntries(Object.entries(inputs).map(([name, info]) => [name, info && map(info)]));
}
