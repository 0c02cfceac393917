import { describe, expect, test } from 'vitest';
import { lpipsLayout, safetensorsFromVector, type LpipsNetwork } from '@fourfold/weights';
import { selectBackend } from '../backends/backend.js';
import { loadReference, onBackend, onOneThread, testedBackends } from '../test-support.js';
import { createLpips } from './lpips.js';
import { resultOf } from './upscaler.js';

/*
 * LPIPS by networks of the real shapes with made-up weights, against plain PyTorch (test/reference/make_lpips.py), which makes
 * the same weights.
 */

const limit = 1e-4;
const reference = loadReference('lpips');
const networks: LpipsNetwork[] = ['alexnet', 'vgg16'];

/** A table of numbers repeated with a step per tensor: the same in make_lpips.py. */
function madeUpFile(network: LpipsNetwork): Uint8Array {
  const layout = lpipsLayout(network);
  const table = reference.get('table').data;
  const vector = new Float32Array(layout.length);
  for (const [i, { name, shape, offset, sizeElements }] of layout.tensors.entries()) {
    const isHead = name.startsWith('lpips');
    const bound = shape.length === 4 ? Math.fround(Math.sqrt(6 / (shape[0] * shape[1] * shape[2]))) : 0.1;
    for (let at = 0; at < sizeElements; at++) {
      const value = table[(at * 7 + Math.floor(at / 251) * 3 + i * 31) % table.length];
      vector[offset + at] = isHead ? Math.abs(value) * 0.1 : value * bound;
    }
  }
  return safetensorsFromVector(layout, vector, {});
}

const pictureOf = (name: string) => {
  const { data, shape } = reference.get(name);
  return { data: Uint8Array.from(data), width: shape[1], height: shape[0] };
};

/** The plain JavaScript backend would take minutes. */
describe.each(testedBackends.filter((name) => name !== 'cpu'))('on %s', (backend) => {
  onBackend(backend);

  // VGG16 takes a minute of CPU time on wasm.
  test.each(networks)(
    '%s equals PyTorch’s, whole and in parts; 0 for identical pictures',
    { timeout: 600_000 },
    async (network) => {
      const [a, b] = [pictureOf('a'), pictureOf('b')];
      const expected = reference.get(network).data[0];
      for (const part of network === 'alexnet' ? [1024, 64] : [1024, 96]) {
        const lpips = createLpips(network, madeUpFile(network), 'made-up', part);
        expect(Math.abs((await resultOf(lpips.measure(a, b))) - expected)).toBeLessThan(limit);
        // Not with VGG16 on wasm, where each measurement takes ten seconds.
        const isQuick = network === 'alexnet' || backend !== 'wasm';
        if (part === 1024 && isQuick) expect(await resultOf(lpips.measure(a, a))).toBe(0);
        lpips.dispose();
      }
    },
  );
});

test('a file without heads, and pictures too small, are refused', async () => {
  await selectBackend(onOneThread('auto'));
  const layout = lpipsLayout('alexnet');
  const tensors = layout.tensors.filter(({ name }) => !name.startsWith('lpips'));
  const file = safetensorsFromVector({ ...layout, tensors }, new Float32Array(layout.length), {});
  expect(() => createLpips('alexnet', file, 'made-up')).toThrow('made-up is not AlexNet: lpips1/filter is missing');
  const lpips = createLpips('alexnet', madeUpFile('alexnet'), 'made-up');
  const small = { data: new Uint8Array(3 * 20 * 40), width: 20, height: 40 };
  await expect(resultOf(lpips.measure(small, small))).rejects.toThrow(
    'too small for LPIPS: 20x40, both sides must be at least 32',
  );
  lpips.dispose();
});
