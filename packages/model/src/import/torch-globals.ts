import { FourfoldError } from '@fourfold/common/basics';
import type { PickleGlobal } from './pickle.js';

/** Location of a tensor's elements: in the storage of a key, from `offset` on, in C order. Sizes and offsets count elements. */
export interface TorchTensor {
  kind: 'torch tensor';
  storage: TorchStorage;
  offset: number;
  shape: number[];
}

export interface TorchStorage {
  kind: 'torch storage';
  key: string;
  sizeElements: number;
}

export const isTorchTensor = (value: unknown): value is TorchTensor =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'torch tensor';

const floatStorage: PickleGlobal = {};

/** The globals that a `state_dict` of float32 tensors needs. `what` names the file in errors. */
export function torchGlobals(what: string): Record<string, PickleGlobal> {
  const tensor: PickleGlobal = {
    call: ([storage, offset, shape, stride]) => {
      if (!isStorage(storage) || !isCount(offset) || !isCounts(shape) || !isCounts(stride)) {
        throw refused(what, 'one of its tensors is malformed');
      }
      if (!isContiguous(shape, stride)) throw refused(what, 'one of its tensors is not contiguous');
      if (offset + sizeOf(shape) > storage.sizeElements) throw refused(what, 'a tensor extends beyond its storage');
      return { kind: 'torch tensor', storage, offset, shape } satisfies TorchTensor;
    },
  };
  return {
    'collections OrderedDict': { call: () => new Map() },
    'torch._utils _rebuild_tensor': tensor,
    'torch._utils _rebuild_tensor_v2': tensor,
    'torch._utils _rebuild_parameter': { call: ([data]) => data },
    'torch FloatStorage': floatStorage,
  };
}

/** The storage that a pickle refers to by ('storage', type, key, location, size, ...). Throws `invalid` for types other than float32. */
export function storageOf(id: unknown, what: string): TorchStorage {
  if (!Array.isArray(id) || id[0] !== 'storage' || typeof id[2] !== 'string' || !isCount(id[4])) {
    throw refused(what, 'it refers to something other than a storage');
  }
  if (id[1] !== floatStorage) throw refused(what, 'its storages are not float32');
  // Legacy files can hold views that begin inside a storage; weights never are views.
  if (id[5] !== undefined && id[5] !== null) throw refused(what, 'its storages are views of others');
  return { kind: 'torch storage', key: id[2], sizeElements: id[4] };
}

const isStorage = (value: unknown): value is TorchStorage =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'torch storage';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is number[] => Array.isArray(value) && value.every(isCount);
const sizeOf = (shape: number[]) => shape.reduce((product, side) => product * side, 1);

const isContiguous = (shape: number[], stride: number[]): boolean =>
  shape.length === stride.length && shape.every((side, i) => side === 1 || stride[i] === sizeOf(shape.slice(i + 1)));

const refused = (what: string, reason: string) =>
  new FourfoldError('invalid', `${what} is refused: ${reason}`, {
    hint: 'save the state_dict of the model in float32: torch.save(model.state_dict(), FILE)',
  });
