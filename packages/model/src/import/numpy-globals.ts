import { FourfoldError } from '@fourfold/common/basics';
import type { Buildable, PickleGlobal } from './pickle.js';

/** A pickled NumPy array: float32, or objects. */
export interface NumpyArray extends Buildable {
  kind: 'numpy array';
  shape: number[];
  /** Little-endian float32, in C order unless `isFortran`; empty for arrays of objects. */
  data: Buffer;
  /** The first index runs fastest: how NumPy stores a transposed matrix. */
  isFortran: boolean;
  objects: unknown[];
}

interface NumpyType extends Buildable {
  kind: 'numpy type';
  /** `f4`, `O8`. */
  code: string;
  byteOrder: string;
}

export const isNumpyArray = (value: unknown): value is NumpyArray => kindOf(value) === 'numpy array';
const isNumpyType = (value: unknown): value is NumpyType => kindOf(value) === 'numpy type';
const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;

/** The globals that pickled arrays of NumPy 1 and 2, written by Python 2 or 3, need. `what` names the file in errors. */
// eslint-disable-next-line max-lines-per-function -- a table of stand-ins
export function numpyGlobals(what: string): Record<string, PickleGlobal> {
  const refuse = (reason: string) => new FourfoldError('invalid', `${what} is refused: ${reason}`);
  const bytesOf = (value: unknown): Buffer => {
    if (Buffer.isBuffer(value)) return value;
    // Python 2's short str.
    if (typeof value === 'string') return Buffer.from(value, 'latin1');
    throw refuse('an array holds neither bytes nor objects');
  };

  const fill = (array: NumpyArray, shape: unknown, type: unknown, isFortran: unknown, data: unknown): NumpyArray => {
    if (!isShape(shape) || !isNumpyType(type)) throw refuse('an array has no shape or no type');
    array.shape = shape;
    if (type.code.startsWith('O')) {
      if (!Array.isArray(data)) throw refuse('an array of objects does not hold a list');
      array.objects = data;
      return array;
    }
    if (type.code !== 'f4' || type.byteOrder === '>') {
      throw refuse(`an array is of type ${type.byteOrder}${type.code}, but only little-endian float32 is supported`);
    }
    array.isFortran = Boolean(isFortran) && shape.length > 1;
    array.data = bytesOf(data);
    const wanted = 4 * shape.reduce((product, side) => product * side, 1);
    if (array.data.length !== wanted) throw refuse(`an array of ${shape.join(' x ')} has ${array.data.length} bytes`);
    return array;
  };
  const emptyArray = (): NumpyArray => {
    const array: NumpyArray = {
      kind: 'numpy array',
      shape: [0],
      data: Buffer.alloc(0),
      isFortran: false,
      objects: [],
      setState(state) {
        if (!Array.isArray(state) || state.length !== 5) throw refuse('an array has no state');
        fill(array, ...(state.slice(1) as [unknown, unknown, unknown, unknown]));
      },
    };
    return array;
  };
  const type = ([code]: unknown[]): NumpyType => {
    if (typeof code !== 'string') throw refuse('a type has no name');
    const made: NumpyType = {
      kind: 'numpy type',
      code: code.replace(/^[<>|=]/, ''),
      byteOrder: /^[<>]/.exec(code)?.[0] ?? '<',
      setState(state) {
        if (Array.isArray(state) && typeof state[1] === 'string') made.byteOrder = state[1];
      },
    };
    return made;
  };

  const reconstruct = { call: emptyArray };
  const fromBuffer = {
    call: ([data, type, shape, order]: unknown[]) => fill(emptyArray(), shape, type, order === 'F', data),
  };
  return {
    'numpy.core.multiarray _reconstruct': reconstruct,
    'numpy._core.multiarray _reconstruct': reconstruct,
    'numpy.core.numeric _frombuffer': fromBuffer,
    'numpy._core.numeric _frombuffer': fromBuffer,
    'numpy ndarray': {},
    'numpy dtype': { call: type },
    // Python 3 writes bytes for Python 2 this way.
    '_codecs encode': { call: ([text, codec]) => encode(text, codec, refuse) },
  };
}

function encode(text: unknown, codec: unknown, refuse: (reason: string) => Error): Buffer {
  if (typeof text !== 'string' || codec !== 'latin1') throw refuse('its bytes are encoded in an unknown way');
  return Buffer.from(text, 'latin1');
}

const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && (side as number) >= 0);
