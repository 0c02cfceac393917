import type { GeneratorWeights } from '@fourfold/weights';
import { batchNormEpsilon } from '../layers/batch-norm.js';

/** A convolution with bias, 'same' padding and stride 1, and the operations after it. */
export interface FoldedConvolution {
  /** Unique in the generator: `head`, `block1/conv1`, `trunk`, `up1`, `tail`. */
  name: string;
  /** Side of the filter, and its channels. */
  side: number;
  inputs: number;
  outputs: number;
  /** HWIO. */
  filter: Float32Array;
  bias: Float32Array;
}

/** A step of the generator at inference, for writers of graphs. Each takes the output of the step before it. */
export type FoldedStep =
  | { kind: 'convolution'; convolution: FoldedConvolution }
  | { kind: 'prelu'; name: string; slope: Float32Array }
  | { kind: 'depthToSpace'; name: string }
  /** Keep the tensor for the `add` of the same name. */
  | { kind: 'keep'; name: string }
  | { kind: 'add'; name: string };

/** Ranges of input and output pixels, from black to white. */
export interface PixelRanges {
  input: [black: 0, white: number];
  output: [black: 0, white: number];
}

/**
 * The generator as steps, its batch norms folded into the convolutions before them: at inference a batch norm is one scale and
 * shift per channel. The filters of the head and the tail are rescaled so that the head takes pixels of the input range instead of
 * [0, 1] and the tail gives those of the output range instead of [-1, 1]; values beyond the range are not clipped.
 */
export function foldGenerator(
  { config: { blocks }, layout, vector }: GeneratorWeights,
  { input, output }: PixelRanges,
): FoldedStep[] {
  const places = new Map(layout.tensors.map((place) => [place.name, place]));
  const tensor = (name: string) => {
    const place = places.get(name);
    if (!place) throw new Error(`the generator has no tensor ${name}`);
    return { shape: place.shape, data: vector.subarray(place.offset, place.offset + place.sizeElements) };
  };
  const convolution = (name: string, conv: string, { scale, shift }: ChannelAffine, inputScale = 1): FoldedStep => {
    const { shape, data } = tensor(`${conv}/filter`);
    const [side, , inputs, outputs] = shape;
    const bias = places.has(`${conv}/bias`) ? tensor(`${conv}/bias`).data : new Float32Array(outputs);
    return {
      kind: 'convolution',
      convolution: {
        ...{ name, side, inputs, outputs },
        filter: data.map((value, i) => value * inputScale * scale(i % outputs)),
        bias: bias.map((value, channel) => value * scale(channel) + shift(channel)),
      },
    };
  };
  const norm = (name: string): ChannelAffine => {
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map(
      (part) => tensor(`${name}/${part}`).data,
    );
    const scale = (channel: number) => gamma[channel] / Math.sqrt(variance[channel] + batchNormEpsilon);
    return { scale, shift: (channel) => beta[channel] - mean[channel] * scale(channel) };
  };
  const prelu = (name: string): FoldedStep => ({ kind: 'prelu', name, slope: tensor(`${name}/slope`).data });
  const block = (name: string): FoldedStep[] => [
    { kind: 'keep', name: `${name}/add` },
    convolution(`${name}/conv1`, `${name}/conv1`, norm(`${name}/bn1`)),
    prelu(`${name}/prelu`),
    convolution(`${name}/conv2`, `${name}/conv2`, norm(`${name}/bn2`)),
    { kind: 'add', name: `${name}/add` },
  ];
  const upsampling = (name: string): FoldedStep[] => [
    convolution(name, `${name}/conv`, same),
    { kind: 'depthToSpace', name: `${name}/depthToSpace` },
    prelu(`${name}/prelu`),
  ];
  const toOutput: ChannelAffine = { scale: () => output[1] / 2, shift: () => output[1] / 2 };
  return [
    // Only the filter changes: the bias does not depend on the pixels' range, and the padding is black in every range.
    convolution('head', 'head/conv', same, 1 / input[1]),
    prelu('head/prelu'),
    { kind: 'keep', name: 'trunk/add' },
    ...Array.from({ length: blocks }, (_, i) => block(`block${i + 1}`)).flat(),
    convolution('trunk', 'trunk/conv', norm('trunk/bn')),
    { kind: 'add', name: 'trunk/add' },
    ...upsampling('up1'),
    ...upsampling('up2'),
    convolution('tail', 'tail/conv', toOutput),
  ];
}

/** y = x * scale + shift, per channel. */
interface ChannelAffine {
  scale: (channel: number) => number;
  shift: (channel: number) => number;
}

const same: ChannelAffine = { scale: () => 1, shift: () => 0 };
