import { FourfoldError } from '@fourfold/common/basics';
import { readZip } from './zip.js';
import { floatsOf, type NamedArray } from '@fourfold/weights';
import { readPickle } from './pickle.js';
import { isTorchTensor, storageOf, torchGlobals, type TorchStorage, type TorchTensor } from './torch-globals.js';

/*
 * A state_dict as written by torch.save: since PyTorch 1.6 a zip (torch/csrc/api serialization: `NAME/data.pkl`, `NAME/data/KEY`);
 * before that, as in the published vgg19-dcbb9e9d.pth, a sequence of pickles followed by the storages (torch/serialization.py,
 * _legacy_save).
 */

const zipMagic = Buffer.from('PK\x03\x04', 'latin1');
/** LONG1 of 0x1950a86a20f9469cfc6c, in a pickle of protocol 2. */
const legacyMagic = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');

export const isTorchZip = (bytes: Buffer): boolean => bytes.subarray(0, zipMagic.length).equals(zipMagic);
export const isTorchLegacy = (bytes: Buffer): boolean => bytes.subarray(0, legacyMagic.length).equals(legacyMagic);

/** Which tensors to read; the data of the others is not touched. */
export type Wanted = (name: string) => boolean;

/** The wanted tensors of a zip file of torch.save. Throws `invalid` for other contents, `corrupt` for a damaged file. */
export async function readTorchZip(bytes: Buffer, what: string, wanted: Wanted): Promise<NamedArray[]> {
  const entries = await readZip(bytes, what);
  const [[folder, pickle] = []] = [...entries].flatMap(([name, entry]) => {
    const match = /^([^/]+\/)data\.pkl$/.exec(name);
    return match ? [[match[1], entry] as const] : [];
  });
  if (!pickle) throw new FourfoldError('invalid', `${what} is a zip file, but not one of torch.save`);
  const order = entries.get(`${folder}byteorder`);
  if (order && (await order.read()).toString() !== 'little') {
    throw new FourfoldError('invalid', `${what} was written on a big-endian machine`);
  }
  const { tensors } = stateDict(await pickle.read(), 0, what);
  const found: NamedArray[] = [];
  for (const [name, tensor] of tensors) {
    if (!wanted(name)) continue;
    const entry = entries.get(`${folder}data/${tensor.storage.key}`);
    if (entry?.sizeBytes !== 4 * tensor.storage.sizeElements) throw truncated(what, `the data of ${name}`);
    found.push(arrayOf(name, tensor, await entry.read()));
  }
  return found;
}

/** The same for the older format. */
export function readTorchLegacy(bytes: Buffer, what: string, wanted: Wanted): NamedArray[] {
  // Magic number, protocol version, facts about the machine.
  let at = 0;
  for (let i = 0; i < 3; i++) at = readPickle(bytes, at, { what, globals: {} }).end;
  const { tensors, end } = stateDict(bytes, at, what);
  const { value: keys, end: dataBegin } = readPickle(bytes, end, { what, globals: {} });
  const sizes = new Map([...tensors.values()].map(({ storage }) => [storage.key, storage.sizeElements]));
  if (!Array.isArray(keys) || keys.length !== sizes.size) throw truncated(what, 'the list of storages');
  const places = new Map<string, Buffer>();
  at = dataBegin;
  for (const key of keys as unknown[]) {
    if (typeof key !== 'string') throw truncated(what, 'the name of a storage');
    const sizeElements = sizes.get(key);
    const begin = at + 8;
    at = begin + 4 * (sizeElements ?? Infinity);
    if (at > bytes.length || bytes.readBigInt64LE(begin - 8) !== BigInt(sizeElements ?? -1)) {
      throw truncated(what, `storage ${key}`);
    }
    places.set(key, bytes.subarray(begin, at));
  }
  // If one is listed twice, another is missing.
  if (places.size !== sizes.size) throw truncated(what, 'one of the storages');
  return [...tensors]
    .filter(([name]) => wanted(name))
    .map(([name, tensor]) => arrayOf(name, tensor, places.get(tensor.storage.key) as Buffer));
}

function stateDict(bytes: Buffer, begin: number, what: string): { tensors: Map<string, TorchTensor>; end: number } {
  const storages = new Map<string, TorchStorage>();
  const persistent = (id: unknown) => {
    const storage = storageOf(id, what);
    const known = storages.get(storage.key) ?? storage;
    storages.set(storage.key, known);
    return known;
  };
  const { value, end } = readPickle(bytes, begin, { what, globals: torchGlobals(what), persistent });
  if (!(value instanceof Map)) throw new FourfoldError('invalid', `${what} does not hold a state_dict`);
  const tensors = [...(value as Map<unknown, unknown>)].filter((entry): entry is [string, TorchTensor] =>
    isTorchTensor(entry[1]),
  );
  return { tensors: new Map(tensors), end };
}

function arrayOf(name: string, { offset, shape }: TorchTensor, storage: Buffer): NamedArray {
  const sizeElements = shape.reduce((product, side) => product * side, 1);
  return { name, shape, data: floatsOf(storage.subarray(4 * offset, 4 * (offset + sizeElements))) };
}

const truncated = (what: string, part: string) =>
  new FourfoldError('corrupt', `${what} is damaged: ${part} is missing or has another size`, {
    hint: 'fetch the file again',
  });
