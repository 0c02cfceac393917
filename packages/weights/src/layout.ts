import type { GeneratorConfig, Network } from '@fourfold/common';

/** How a tensor starts: all equal, or uniform in +-1/sqrt(fanIn). */
export type Init = { kind: 'constant'; value: number } | { kind: 'uniform'; fanIn: number };

/** One tensor's place in a network's flat vector. Filters are HWIO, dense weights [inputs, outputs]. */
export interface TensorPlace {
  name: string;
  shape: number[];
  /** First element in the flat vector. */
  offset: number;
  sizeElements: number;
  /** Parameters are trained; statistics are the batch norms' running mean and variance. */
  kind: 'parameter' | 'statistic';
  init: Init;
}

/** A network whose features are compared. */
export type FeatureNetwork = 'vgg16' | 'vgg19' | 'alexnet';

/** Order and shapes of a network's tensors in one flat vector: the parameters, then the statistics. */
export interface Layout {
  network: Network | FeatureNetwork;
  tensors: TensorPlace[];
  parameterCount: number;
  statisticCount: number;
  /** parameterCount + statisticCount. */
  length: number;
}

type Entry = Pick<TensorPlace, 'name' | 'shape' | 'kind' | 'init'>;

/** A generator's sizes, and its parameters and statistics in layout order. */
export interface GeneratorWeights {
  config: GeneratorConfig;
  layout: Layout;
  vector: Float32Array;
}

/** The generator's tensors (design, section 4): 1,548,547 parameters with 64 channels and 16 blocks. */
export function generatorLayout({ channels, blocks }: GeneratorConfig): Layout {
  const entries = [
    ...convolution('head/conv', 9, 3, channels, 'bias'),
    ...prelu('head/prelu', channels),
    ...Array.from({ length: blocks }, (_, i) => `block${i + 1}`).flatMap((block) => [
      ...convolution(`${block}/conv1`, 3, channels, channels, 'no bias'),
      ...batchNorm(`${block}/bn1`, channels, 'running'),
      ...prelu(`${block}/prelu`, channels),
      ...convolution(`${block}/conv2`, 3, channels, channels, 'no bias'),
      ...batchNorm(`${block}/bn2`, channels, 'running'),
    ]),
    ...convolution('trunk/conv', 3, channels, channels, 'no bias'),
    ...batchNorm('trunk/bn', channels, 'running'),
    ...['up1', 'up2'].flatMap((up) => [
      ...convolution(`${up}/conv`, 3, channels, 4 * channels, 'bias'),
      ...prelu(`${up}/prelu`, channels),
    ]),
    ...convolution('tail/conv', 9, channels, 3, 'bias'),
  ];
  return place('generator', entries);
}

/**
 * A layout in which factors replace a dense weight, as tensors `weight`/inputs [rows, inputs] and `weight`/outputGradients
 * [rows, outputs].
 */
export function factoredLayout({ network, tensors }: Layout, weights: ReadonlySet<string>, rows: number): Layout {
  const entries = tensors.flatMap((tensor): Entry[] => {
    if (!weights.has(tensor.name)) return [tensor];
    const [inputs, outputs] = tensor.shape;
    return [
      { ...tensor, name: factorNames(tensor.name).inputs, shape: [rows, inputs] },
      { ...tensor, name: factorNames(tensor.name).outputGradients, shape: [rows, outputs] },
    ];
  });
  return place(network, entries);
}

/** Dense weights whose gradients can be kept as factors: nine tenths of the discriminator at paper size. */
export const wideWeights: ReadonlySet<string> = new Set(['dense1/weight']);

/** The names of a dense weight's factors among gradients. */
export const factorNames = (weight: string) => ({
  inputs: `${weight}/inputs`,
  outputGradients: `${weight}/outputGradients`,
});

/** Uniform initial values. */
export const uniform = (fanIn: number): Init => ({ kind: 'uniform', fanIn });
const constant = (value: number): Init => ({ kind: 'constant', value });

/** A convolution's tensors. */
export function convolution(
  name: string,
  side: number,
  inputs: number,
  outputs: number,
  bias: 'bias' | 'no bias',
): Entry[] {
  const filter = parameter(`${name}/filter`, [side, side, inputs, outputs], uniform(side * side * inputs));
  return bias === 'bias' ? [filter, parameter(`${name}/bias`, [outputs], constant(0))] : [filter];
}

/** A dense layer's tensors. */
export const dense = (name: string, inputs: number, outputs: number): Entry[] => [
  parameter(`${name}/weight`, [inputs, outputs], uniform(inputs)),
  parameter(`${name}/bias`, [outputs], constant(0)),
];

const prelu = (name: string, channels: number): Entry[] => [parameter(`${name}/slope`, [channels], constant(0.25))];

/** A batch norm's tensors. */
export function batchNorm(name: string, channels: number, statistics: 'running' | 'batch only'): Entry[] {
  const scale = [
    parameter(`${name}/gamma`, [channels], constant(1)),
    parameter(`${name}/beta`, [channels], constant(0)),
  ];
  if (statistics === 'batch only') return scale;
  return [
    ...scale,
    { name: `${name}/mean`, shape: [channels], kind: 'statistic', init: constant(0) },
    { name: `${name}/variance`, shape: [channels], kind: 'statistic', init: constant(1) },
  ];
}

/** A parameter's entry in a layout. */
export function parameter(name: string, shape: number[], init: Init): Entry {
  return { name, shape, kind: 'parameter', init };
}

/** A network's tensors, each in its place. */
export function place(network: Layout['network'], entries: Entry[]): Layout {
  const isParameter = ({ kind }: Entry) => kind === 'parameter';
  const ordered = [...entries.filter(isParameter), ...entries.filter((entry) => !isParameter(entry))];
  let length = 0;
  let parameterCount = 0;
  const tensors = ordered.map((entry) => {
    const sizeElements = entry.shape.reduce((product, side) => product * side, 1);
    const offset = length;
    length += sizeElements;
    if (isParameter(entry)) parameterCount = length;
    return { ...entry, offset, sizeElements };
  });
  return { network, tensors, parameterCount, statisticCount: length - parameterCount, length };
}
