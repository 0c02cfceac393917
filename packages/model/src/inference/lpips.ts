import tf = require('@tensorflow/tfjs-core');
import type { Picture, Rectangle } from '@fourfold/common/basics';
import {
  checkLpipsSize,
  featureNetworks,
  featureWeights,
  lpipsHead,
  lpipsLayers,
  lpipsLayout,
  type LpipsNetwork,
} from '@fourfold/weights';
import { kernels } from '../kernels/kernels.js';
import { named } from '../layers/layer.js';
import { createFeatures, type FeatureExtractor } from '../networks/features.js';
import { disposeTensors, uploadParameters } from '../networks/transfer.js';
import { unitLength } from '../networks/unit-length.js';
import { cutReflected, squares, surroundings } from './surroundings.js';

/*
 * LPIPS, version 0.1 (Zhang et al. 2018): the distance of unit-length features of AlexNet or VGG16 after five of their ReLUs, weighted by
 * linear heads. 0 for identical pictures; lower is nearer.
 */

/** LPIPS on this thread's backend. */
export interface Lpips {
  /** The distance of two 8-bit RGB pictures of one size, with a pause after each part. Throws `invalid` for pictures too small. */
  measure(a: Picture, b: Picture): AsyncGenerator<void, number>;
  /** Free the network's tensors. */
  dispose(): void;
}

interface Shape {
  /** Side of the squares that are measured one after the other, which bounds the memory; a multiple of 16. */
  part: number;
  /** Pixels between the cells of each layer's features. */
  strides: number[];
}

const shapes: Record<LpipsNetwork, Shape> = {
  alexnet: { part: 1024, strides: [4, 8, 16, 16, 16] },
  vgg16: { part: 384, strides: [1, 2, 4, 8, 16] },
};

/** No feature of either network depends on a pixel farther away; a multiple of 16, the deepest layer's stride. */
const margin = 96;

/**
 * LPIPS with weights from a file that `fourfold vgg fetch` or `import` wrote; `what` names the file in errors. Throws `invalid` for a
 * file of another network, or one without heads.
 */
export function createLpips(
  network: LpipsNetwork,
  bytes: Uint8Array,
  what: string,
  part = shapes[network].part,
): Lpips {
  const layout = lpipsLayout(network);
  const { vector, preprocessing } = featureWeights(layout, bytes, what);
  const parameters = uploadParameters(layout, vector);
  const taps = lpipsLayers[network].map((layer) => ({ layer, relu: 'after' as const }));
  const extractor = { parameters, features: createFeatures(featureNetworks[network], taps, preprocessing) };
  const heads = taps.map((_, i) => named<tf.Tensor4D>(parameters, lpipsHead(i)));
  const { strides } = shapes[network];

  async function* measure(a: Picture, b: Picture): AsyncGenerator<void, number> {
    const { width, height } = a;
    checkLpipsSize(network, a);
    const sums = strides.map(() => ({ sum: 0, cells: 0 }));
    for (const core of squares({ left: 0, top: 0, width, height }, part)) {
      // It begins at a multiple of 16, as whole pictures do.
      const seen = surroundings(a, core, margin, 'zeros');
      const maps = await cellsOfMaps(tf.tidy(() => distances(extractor, heads, [a, b], seen)));
      maps.forEach((map, i) => addCells(sums[i], map, cellsOf(core, seen, map, strides[i], a)));
      yield;
    }
    return sums.reduce((total, { sum, cells }) => total + sum / cells, 0);
  }

  return { measure, dispose: () => disposeTensors(parameters) };
}

/** A layer's distances, cell by cell. */
interface Cells {
  values: Float32Array;
  width: number;
  height: number;
}

/** Each layer's map of distances. */
function distances(
  { features, parameters }: FeatureExtractor,
  heads: tf.Tensor4D[],
  pictures: [Picture, Picture],
  seen: Rectangle,
): tf.Tensor4D[] {
  const [ofA, ofB] = pictures.map((picture) => {
    const shape: tf.Tensor4D['shape'] = [1, seen.height, seen.width, 3];
    const x = kernels().uploadPictures(cutReflected(picture, seen), shape, 1 / 127.5, -1);
    const [found] = features(parameters, x, { saves: false });
    x.dispose();
    return found;
  });
  return heads.map((head, i) => {
    const map = tf.tidy(() => {
      const squared = tf.square(tf.sub<tf.Tensor4D>(unitLength(ofA[i]).unit, unitLength(ofB[i]).unit));
      return kernels().conv2d(squared, head, undefined, 1);
    });
    tf.dispose([ofA[i], ofB[i]]);
    return map;
  });
}

/** The values of maps, which are freed. */
async function cellsOfMaps(maps: tf.Tensor4D[]): Promise<Cells[]> {
  try {
    const cells: Cells[] = [];
    for (const map of maps) {
      const [, height, width] = map.shape;
      const values = new Float32Array(width * height);
      await kernels().download([map], values);
      cells.push({ values, width, height });
    }
    return cells;
  } finally {
    tf.dispose(maps);
  }
}

/** Which cells of a map belong to the core; those at the picture's end include what its size leaves over. */
function cellsOf(core: Rectangle, seen: Rectangle, map: Cells, stride: number, picture: Picture): Rectangle {
  const range = (begin: number, size: number, from: number, end: number, cells: number) => {
    const first = Math.min(cells, (begin - from) / stride);
    const last = begin + size >= end ? cells : Math.min(cells, (begin + size - from) / stride);
    return { first, count: last - first };
  };
  const x = range(core.left, core.width, seen.left, picture.width, map.width);
  const y = range(core.top, core.height, seen.top, picture.height, map.height);
  return { left: x.first, top: y.first, width: x.count, height: y.count };
}

function addCells(total: { sum: number; cells: number }, map: Cells, { left, top, width, height }: Rectangle): void {
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) total.sum += map.values[y * map.width + x];
  }
  total.cells += width * height;
}
