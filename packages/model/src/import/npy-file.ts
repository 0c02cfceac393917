import { FourfoldError } from '@fourfold/common/basics';
import { floatsOf, type NamedArray } from '@fourfold/weights';
import { isNumpyArray, numpyGlobals, type NumpyArray } from './numpy-globals.js';
import { readPickle } from './pickle.js';

/*
 * `vgg19.npy`: a NumPy file (numpy.lib.format) of one object, a dictionary of layer -> [filter HWIO, bias].
 */

const magic = Buffer.from('\x93NUMPY', 'latin1');

export const isNpyFile = (bytes: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);

/**
 * The arrays of a file's wanted layers as `layer/filter` and `layer/bias`, in C order. Throws `invalid` for other contents,
 * `corrupt` for a damaged file.
 */
export function readNpyFile(bytes: Buffer, what: string, isWanted: (layer: string) => boolean): NamedArray[] {
  const begin = endOfHeader(bytes, what);
  const { value } = readPickle(bytes, begin, { what, globals: numpyGlobals(what) });
  const [layers] = isNumpyArray(value) ? value.objects : [undefined];
  if (!(layers instanceof Map)) throw new FourfoldError('invalid', `${what} does not hold a dictionary of layers`);
  return [...(layers as Map<unknown, unknown>)].flatMap(([layer, parts]) => {
    if (typeof layer !== 'string') throw new FourfoldError('invalid', `${what}: one of its layers has no name`);
    if (!isWanted(layer)) return [];
    if (!Array.isArray(parts) || parts.length !== 2 || !parts.every(isNumpyArray)) {
      throw new FourfoldError('invalid', `${what}: ${layer} is not a pair of filter and bias`);
    }
    return ['filter', 'bias'].map((part, i) => ({
      name: `${layer}/${part}`,
      shape: parts[i].shape,
      data: valuesOf(parts[i]),
    }));
  });
}

/** An array's values in C order. */
function valuesOf({ data, shape, isFortran }: NumpyArray): Float32Array {
  const stored = floatsOf(data);
  if (!isFortran) return stored;
  const values = new Float32Array(stored.length);
  const index = shape.map(() => 0);
  for (const value of stored) {
    values[index.reduce((at, i, axis) => at * shape[axis] + i, 0)] = value;
    for (let axis = 0; axis < shape.length && ++index[axis] === shape[axis]; axis++) index[axis] = 0;
  }
  return values;
}

/** Offset of the data. Checks that the header describes one object. */
function endOfHeader(bytes: Buffer, what: string): number {
  const version = bytes[magic.length];
  const lengthBytes = version === 1 ? 2 : 4;
  const begin = magic.length + 2 + lengthBytes;
  const end = bytes.length < begin ? Infinity : begin + bytes.readUIntLE(magic.length + 2, lengthBytes);
  if (end > bytes.length) {
    throw new FourfoldError('corrupt', `${what} is truncated in its header`, { hint: 'fetch the file again' });
  }
  const header = bytes.toString('latin1', begin, end);
  if (!/'descr':\s*'\|O'/.test(header) || !/'shape':\s*\(\)/.test(header)) {
    throw new FourfoldError('invalid', `${what} is a NumPy file, but not one of a dictionary of layers`);
  }
  return end;
}
