import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '@fourfold/common';
import { selectBackend } from '../backend.js';
import { vggLayout, type VggDepth } from '../layout.js';
import { createVgg } from '../networks.js';
import { decodeSafetensors, encodeSafetensors, type NamedArray } from '../safetensors.js';
import { onOneThread, relativeError } from '../test-support.js';
import { disposeTensors, uploadParameters } from '../transfer.js';
import { vggWeights } from '../weights-file.js';
import { importVgg } from './import-vgg.js';

/*
 * Files that the frameworks wrote, or, where today's no longer do, that their older versions would have (make.py), and the
 * features that they compute.
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

function featureError(depth: VggDepth, framework: string, file: Uint8Array): number {
  const { vector, preprocessing } = vggWeights(depth, file, 'vgg');
  const parameters = uploadParameters(vggLayout(depth), vector);
  const { data, shape } = features.get('picture') as NamedArray;
  const picture = tf.tensor<tf.Rank.R4>(data.slice(), shape as tf.Tensor4D['shape']);
  const [found] = createVgg(depth, { preprocessing })(parameters, picture, { saves: false });
  const wanted = features.get(`${framework}/${depth === 'vgg22' ? 'relu2_2' : 'relu5_4'}`) as NamedArray;
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
    expect(featureError('vgg22', framework, imported.safetensors)).toBeLessThan(1e-4);
    expect(featureError('vgg54', framework, imported.safetensors)).toBeLessThan(1e-4);
  });

  test('cut off, it is refused in one line', async () => {
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

test('what was imported can be imported', async () => {
  const { safetensors } = await importVgg(await published('numpy2.npy'));
  const again = await importVgg(await place('again.safetensors', safetensors));
  expect(again).toMatchObject({ format: 'safetensors', preprocessing: 'caffe' });
  const hashOf = (file: Uint8Array) => sha256(new Uint8Array(vggWeights('vgg54', file, 'vgg').vector.buffer));
  expect(hashOf(again.safetensors)).toBe(hashOf(safetensors));
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

  test.each([
    ['system.npy', npy('\x80\x02cposix\nsystem\n(U\x0ctouch hostileR.'), /its pickle wants posix\.system/],
    ['system.pth', legacy('\x80\x02cos\nsystem\n(U\x05touchtR.'), /its pickle wants os\.system/],
    ['stack.npy', npy('\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.'), /its pickle wants builtins\.eval/],
    ['prototype.npy', npy('\x80\x02cconstructor\nprototype\n.'), /its pickle wants constructor\.prototype/],
    ['mentioned.npy', npy('\x80\x02cnumpy\nndarray\n)R.'), /calls something that is no function of the list/],
    ['called.npy', npy('\x80\x02K\x01)R.'), /calls something that is no function of the list/],
    ['state.npy', npy('\x80\x02K\x01}b.'), /gives a state to something that has none/],
    ['long.npy', npy('\x80\x02\x8b\xff\xff\xff\x7f'), /holds a number of 2147483647 bytes/],
    ['empty.npy', npy('\x80\x02R.'), /takes from an empty stack/],
    ['memo.npy', npy('\x80\x02h\x07.'), /recalls what it has not memorized/],
    ['instance.npy', npy('\x80\x02(i__main__\nC\n.'), /operation 0x69, which weights do not need/],
    ['list.npy', npy('\x80\x02].'), /holds no dictionary of layers/],
    [
      'table.npy',
      Buffer.from("\x93NUMPY\x01\x00\x3a\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }    \n", 'latin1'),
      /not one of a dictionary of layers/,
    ],
    ['picture.png', Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'), /is no file of VGG19’s weights/],
    ['nothing', Buffer.alloc(0), /is no file of VGG19’s weights/],
    ['vgg19-dcbb9e9d.pth', legacy('\x80\x02}.'), /its name says dcbb9e9d/],
  ])('%s is refused, with the reason', async (name, bytes, reason) => {
    const path = await place(name, bytes);
    const error = await importVgg(path).catch((error: unknown) => error as Error);
    expect(error).toMatchObject({ message: expect.stringMatching(reason) as string });
    expect((error as Error).message).toContain(path);
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
