import { buffer } from 'node:stream/consumers';
import { featureLayout } from '@fourfold/weights';
import { expect, test } from 'vitest';
import { ZipFile } from 'yazl';
import { importVgg } from './import-vgg.js';
import { useWeightsFolder } from './test-weights-files.js';

const { place } = useWeightsFolder();

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
  ['nested-name.npy', npy(`\x80\x04${nested}\x8c\x04eval\x93.`), /names a function with something other than a string/],
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
