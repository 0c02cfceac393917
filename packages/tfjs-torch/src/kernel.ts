import tf = require('@tensorflow/tfjs-core');
import type { KernelFunc, NamedTensorInfoMap, TensorInfo } from '@tensorflow/tfjs-core';
import { aten } from './aten.js';
import type { TorchBackend } from './backend.js';
import { runOnCpu } from './fallback.js';
import { loadNative, type Handle } from './native.js';

const { registerKernel } = tf;

export const backendName = 'torch';

/**
 * A kernel's inputs as handles; a list if TensorFlow.js passes a list. TensorFlow.js's types do not show which are
 * optional: biases and the weights of fused activations may be undefined.
 */
type Handles<Inputs> = { [Name in keyof Inputs]-?: Handle };

/** A kernel's arguments besides its inputs' handles and attributes. */
export interface Context<Inputs> {
  backend: TorchBackend;
  /** TensorFlow.js's description of the inputs: their shapes and dtypes. */
  infos: { [Name in keyof Inputs]-?: NonNullable<Inputs[Name]> };
}

/** Compute a kernel's result, or several, from handles. Handles that it creates but does not return are freed afterwards. */
type Run<Inputs, Attributes> = (
  inputs: Handles<Inputs>,
  attributes: Attributes,
  context: Context<Inputs>,
) => Handle | Handle[];

/**
 * Form of the inputs: `full` has no bfloat16, `stored` is as in memory, `compute` has the precision of convolutions and
 * matrix products.
 */
export type Form = 'full' | 'stored' | 'compute';

const registered = new Set<string>();

/** The names of the kernels that run on libtorch. */
export const registeredKernels = (): ReadonlySet<string> => registered;

/** Register a kernel that computes with handles. Strings, which libtorch lacks, go to TensorFlow.js's own kernel. */
export function define<Inputs, Attributes = object>(
  name: string,
  run: Run<Inputs, Attributes>,
  form: Form = 'full',
): void {
  defineRaw(name, (args) => {
    const { inputs, attrs } = args;
    if (Object.values(inputs).some((info) => info?.dtype === 'string')) return runOnCpu(name, args);
    const backend = args.backend as TorchBackend;
    const native = loadNative();
    const mark = native.mark();
    const kept: Handle[] = [];
    try {
      const handles = Array.isArray(inputs)
        ? (inputs as TensorInfo[]).map((info) => handleIn(form, backend, info))
        : mapValues(inputs, (info) => handleIn(form, backend, info));
      const infos = inputs as unknown as Context<Inputs>['infos'];
      const result = run(handles as Handles<Inputs>, attrs as Attributes, { backend, infos });
      const given = Object.values<Handle>(handles as Record<string, Handle>);
      // A kernel with nothing to do may return an input, which belongs to another tensor.
      const own = (handle: Handle) => (given.includes(handle) ? aten.alias(handle) : handle);
      const outputs = (Array.isArray(result) ? result : [result]).map((handle) => backend.output(own(handle)));
      kept.push(...outputs.map((info) => backend.ownedHandleOf(info)));
      return Array.isArray(result) ? outputs : outputs[0];
    } finally {
      native.release(mark, kept);
    }
  });
}

/** Register a libtorch kernel that takes and returns TensorFlow.js's descriptions of tensors. */
export function defineRaw(name: string, kernelFunc: KernelFunc): void {
  registered.add(name);
  registerKernel({ kernelName: name, backendName, kernelFunc });
}

function handleIn(form: Form, backend: TorchBackend, info: TensorInfo): Handle {
  if (form === 'full') return backend.fullHandleOf(info);
  return form === 'stored' ? backend.handleOf(info) : backend.computeHandleOf(info);
}

const mapValues = (inputs: NamedTensorInfoMap, map: (info: TensorInfo) => Handle): Record<string, Handle | undefined> =>
  Object.fromEntries(Object.entries(inputs).map(([name, info]) => [name, info && map(info)]));
