import { FourfoldError, isTree } from '@fourfold/common/basics';
import { floatsOf } from './floats.js';

/** A named float32 tensor; `data` holds its elements in C order. */
export interface NamedArray {
  name: string;
  shape: number[];
  data: Float32Array;
}

export interface SafetensorsFile {
  tensors: NamedArray[];
  metadata: Record<string, string>;
}

interface HeaderEntry {
  dtype: 'F32';
  shape: number[];
  data_offsets: [begin: number, end: number];
}

const lengthBytes = 8;
/** The format's own limit on the header. */
const maxHeaderBytes = 100_000_000;

/** Encode tensors as a safetensors file, in the order given. */
export function encodeSafetensors(tensors: NamedArray[], metadata: Record<string, string>): Uint8Array<ArrayBuffer> {
  const places = tensors.map(({ name, shape, data }) => ({ name, shape, sizeElements: data.length }));
  const head = encodeSafetensorsHead(places, metadata);
  const file = new Uint8Array(head.byteLength + tensors.reduce((sum, { data }) => sum + data.byteLength, 0));
  file.set(head);
  let position = head.byteLength;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}

/**
 * What stands before the data of a safetensors file whose tensors follow each other in this order. Its size is a multiple of 8
 * bytes.
 */
export function encodeSafetensorsHead(
  tensors: readonly { name: string; shape: number[]; sizeElements: number }[],
  metadata: Record<string, string>,
): Uint8Array<ArrayBuffer> {
  let dataBytes = 0;
  const entries = tensors.map(({ name, shape, sizeElements }): [string, HeaderEntry] => {
    const begin = dataBytes;
    dataBytes += sizeElements * Float32Array.BYTES_PER_ELEMENT;
    return [name, { dtype: 'F32', shape, data_offsets: [begin, dataBytes] }];
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries([['__metadata__', metadata], ...entries])));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(lengthBytes + headerBytes).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes), true);
  head.set(json, lengthBytes);
  return head;
}

/**
 * The tensors of a safetensors file in the order of their data, as views of `bytes` if its alignment allows. `what` names
 * the file in errors. Throws `corrupt` for bytes that are not such a file, `invalid` for types other than F32.
 */
export function decodeSafetensors(bytes: Uint8Array, what: string): SafetensorsFile {
  const { header, dataStart } = parseHeader(bytes, what);
  const metadata = header.__metadata__ ?? {};
  if (!isTree(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(what, '__metadata__ is not a map of strings');
  }
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => ({ name, ...checkEntry(name, entry, what) }))
    .sort((a, b) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  let position = 0;
  for (const { name, data_offsets } of entries) {
    if (data_offsets[0] !== position) throw corrupt(what, `${name} does not start where the tensor before it ends`);
    position = data_offsets[1];
  }
  const dataBytes = bytes.length - dataStart;
  if (position !== dataBytes) {
    throw corrupt(what, `its header declares ${position} bytes of data, but it has ${dataBytes}`);
  }
  const tensors = entries.map(({ name, shape, data_offsets: [begin, end] }) => ({
    name,
    shape,
    data: floatsOf(bytes.subarray(dataStart + begin, dataStart + end)),
  }));
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseHeader(bytes: Uint8Array, what: string): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < lengthBytes) throw corrupt(what, `it has only ${bytes.length} bytes`);
  const announced = new DataView(bytes.buffer, bytes.byteOffset, lengthBytes).getBigUint64(0, true);
  const available = Math.min(bytes.length - lengthBytes, maxHeaderBytes);
  if (announced > BigInt(available)) throw corrupt(what, `its header of ${announced} bytes does not fit`);
  const dataStart = lengthBytes + Number(announced);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(lengthBytes, dataStart)));
  } catch (cause) {
    throw corrupt(what, 'its header is not JSON', cause);
  }
  if (!isTree(header)) throw corrupt(what, 'its header is not a map of tensors');
  return { header, dataStart };
}

function checkEntry(name: string, entry: unknown, what: string): HeaderEntry {
  if (!isTree(entry)) throw corrupt(what, `${name} has no description`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw corrupt(what, `the shape or the offsets of ${name} are malformed`);
  }
  if (dtype !== 'F32') {
    throw new FourfoldError('invalid', `${what}: ${name} is of type ${String(dtype)}; only F32 is supported`, {
      hint: 'convert the file to 32-bit floats',
    });
  }
  const wanted = 4 * shape.reduce((product, side) => product * side, 1);
  if (offsets[1] - offsets[0] !== wanted) {
    throw corrupt(what, `${name} takes ${offsets[1] - offsets[0]} bytes, but its shape needs ${wanted}`);
  }
  return { dtype, shape, data_offsets: [offsets[0], offsets[1]] };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);

function corrupt(what: string, reason: string, cause?: unknown): FourfoldError {
  return new FourfoldError('corrupt', `${what} is not a valid safetensors file: ${reason}`, {
    hint: 'fetch or write the file again',
    cause,
  });
}
