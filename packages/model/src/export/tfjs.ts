import type { GeneratorWeights } from '@fourfold/weights';
import { foldGenerator, type FoldedStep } from './folded-generator.js';

/*
 * A TensorFlow.js GraphModel, as tensorflowjs_converter writes it: model.json with a TensorFlow GraphDef in JSON, where strings
 * are base64, and the weights in shards.
 */

interface Node {
  name: string;
  op: string;
  input?: string[];
  attr: Record<string, object>;
}

interface Weight {
  name: string;
  shape: number[];
  data: Float32Array;
}

/** Its input and output; pixels are RGB. */
export const tfjsPixels = {
  input: 'float32 [batch, height, width, 3], RGB, 0 to 1',
  output: 'float32 [batch, 4 height, 4 width, 3], RGB, about 0 to 1, not clipped',
};

/** Browsers cache shards of this size one by one. */
const shardBytes = 4 << 20;

/**
 * A generator as a GraphModel's files by name, with the input `lr` and the output `sr`; batch, height and width are free. `facts`
 * are strings that describe it.
 */
export function encodeGraphModel(
  generator: GeneratorWeights,
  facts: Record<string, string>,
): Record<string, string | Uint8Array> {
  const { nodes, weights } = graphOf(foldGenerator(generator, { input: [0, 1], output: [0, 1] }));
  const bytes = Buffer.concat(weights.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
  const shards = Array.from({ length: Math.ceil(bytes.length / shardBytes) }, (_, i) =>
    bytes.subarray(i * shardBytes, (i + 1) * shardBytes),
  );
  const shardNames = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const model = {
    format: 'graph-model',
    generatedBy: 'fourfold',
    convertedBy: 'fourfold',
    signature: {
      inputs: { lr: { name: 'lr:0', ...tensorInfo } },
      outputs: { sr: { name: 'sr:0', ...tensorInfo } },
    },
    userDefinedMetadata: { ...facts, ...tfjsPixels },
    modelTopology: { node: nodes, library: {}, versions: { producer: 1 } },
    weightsManifest: [
      { paths: shardNames, weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) },
    ],
  };
  return {
    'model.json': JSON.stringify(model),
    ...Object.fromEntries(shardNames.map((name, i) => [name, shards[i]])),
  };
}

/** Free dimensions are -1. */
const pixelShape = { dim: [-1, -1, -1, 3].map((size) => ({ size: String(size) })) };
const tensorInfo = { dtype: 'DT_FLOAT', tensorShape: pixelShape };
const floats = { type: 'DT_FLOAT' };
const text = (value: string) => ({ s: Buffer.from(value).toString('base64') });
const ints = (values: number[]) => ({ list: { i: values.map(String) } });
const stepOne = ints([1, 1, 1, 1]);

/** The graph's nodes, and the values of its constants in the same order. */
function graphOf(steps: FoldedStep[]): { nodes: Node[]; weights: Weight[] } {
  const nodes: Node[] = [{ name: 'lr', op: 'Placeholder', attr: { dtype: floats, shape: { shape: pixelShape } } }];
  const weights: Weight[] = [];
  const constant = (name: string, shape: number[], data: Float32Array): string => {
    weights.push({ name, shape, data });
    const value = {
      tensor: { dtype: 'DT_FLOAT', tensorShape: { dim: shape.map((size) => ({ size: String(size) })) } },
    };
    nodes.push({ name, op: 'Const', attr: { dtype: floats, value } });
    return name;
  };
  const add = (node: Node): string => {
    nodes.push(node);
    return node.name;
  };
  const kept = new Map<string, string>();
  let x = 'lr';
  for (const [i, step] of steps.entries()) {
    if (step.kind === 'keep') kept.set(step.name, x);
    else if (step.kind === 'add') {
      x = add({ name: step.name, op: 'AddV2', input: [x, kept.get(step.name) ?? ''], attr: { T: floats } });
    } else if (step.kind === 'depthToSpace') {
      const attr = { T: floats, block_size: { i: '2' }, data_format: text('NHWC') };
      x = add({ name: step.name, op: 'DepthToSpace', input: [x], attr });
    } else if (step.kind === 'prelu') {
      const slope = constant(`${step.name}/slope`, [step.slope.length], step.slope);
      x = add({ name: step.name, op: 'Prelu', input: [x, slope], attr: { T: floats } });
    } else {
      const { name, side, inputs, outputs, filter, bias } = step.convolution;
      const attr = {
        T: floats,
        strides: stepOne,
        dilations: stepOne,
        padding: text('SAME'),
        data_format: text('NHWC'),
        explicit_paddings: { list: {} },
        fused_ops: { list: { s: [text('BiasAdd').s] } },
        num_args: { i: '1' },
        epsilon: { f: 0 },
      };
      const input = [
        x,
        constant(`${name}/filter`, [side, side, inputs, outputs], filter),
        constant(`${name}/bias`, [outputs], bias),
      ];
      x = add({ name: i === steps.length - 1 ? 'sr' : name, op: '_FusedConv2D', input, attr });
    }
  }
  return { nodes, weights };
}
