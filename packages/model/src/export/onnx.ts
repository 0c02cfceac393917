import { hwioToOihw, type GeneratorWeights } from '@fourfold/weights';
import { foldGenerator, type FoldedConvolution, type PixelRanges } from './folded-generator.js';
import {
  dataTypes,
  encodeOnnx,
  intAttribute,
  intsAttribute,
  textAttribute,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from './onnx-messages.js';

/** Pixels of an exported ONNX model: 8-bit as decoders produce them, or float32 as networks usually take them. */
export type OnnxPixels = 'uint8' | 'float';

/** Opset 13 of December 2020 has every operation needed; onnxruntime 1.6 and later load it. */
const opset = 13;
const irVersion = 7;

interface PixelForm {
  ranges: PixelRanges;
  /** Descriptions of the tensors. */
  input: string;
  output: string;
}

/** Pixel format of each kind of model; channels are red, green, blue. */
export const onnxPixelForms: Record<OnnxPixels, PixelForm> = {
  uint8: {
    ranges: { input: [0, 255], output: [0, 255] },
    input: 'uint8 [batch, height, width, 3], RGB, 0 to 255',
    output: 'uint8 [batch, 4 height, 4 width, 3], RGB, 0 to 255, rounded to the nearest level and clipped',
  },
  float: {
    ranges: { input: [0, 1], output: [0, 1] },
    input: 'float32 [batch, 3, height, width], RGB, 0 to 1',
    output: 'float32 [batch, 3, 4 height, 4 width], RGB, clipped to 0 to 1',
  },
};

/**
 * A generator as an ONNX model with the input `lr` and the output `sr`; batch, height and width are free. `metadata` is added to
 * the layouts and ranges in the file.
 */
export function encodeOnnxGenerator(
  generator: GeneratorWeights,
  pixels: OnnxPixels,
  metadata: Record<string, string>,
): Uint8Array {
  const form = onnxPixelForms[pixels];
  const graph = startGraph();
  let x = 'lr';
  if (pixels === 'uint8') {
    x = graph.add('Cast', 'lr/float', [x], [intAttribute('to', dataTypes.float)]);
    x = graph.add('Transpose', 'lr/nchw', [x], [intsAttribute('perm', [0, 3, 1, 2])]);
  }
  const kept = new Map<string, string>();
  for (const step of foldGenerator(generator, form.ranges)) {
    if (step.kind === 'keep') kept.set(step.name, x);
    else if (step.kind === 'add') x = graph.add('Add', step.name, [x, kept.get(step.name) ?? '']);
    else if (step.kind === 'convolution') x = addConvolution(graph, x, step.convolution);
    else if (step.kind === 'prelu') {
      const slope = graph.constant(`${step.name}/slope`, [step.slope.length, 1, 1], step.slope);
      x = graph.add('PRelu', step.name, [x, slope]);
    } else {
      // DCR is TensorFlow's channel order; CRD is that of torch's pixel_shuffle.
      x = graph.add('DepthToSpace', step.name, [x], [intAttribute('blocksize', 2), textAttribute('mode', 'DCR')]);
    }
  }
  finishPixels(graph, x, pixels);
  return encodeOnnx({
    irVersion,
    producerName: 'fourfold',
    producerVersion: '1',
    docString: `4x super-resolution. lr: ${form.input}. sr: ${form.output}.`,
    opsetImport: [{ domain: '', version: opset }],
    metadataProps: Object.entries({ ...metadata, scale: '4', input: form.input, output: form.output }).map(
      ([key, value]) => ({ key, value }),
    ),
    graph: {
      name: 'generator',
      node: graph.nodes,
      initializer: graph.constants,
      input: [pixelsValue('lr', pixels, 'height', 'width', form.input)],
      output: [pixelsValue('sr', pixels, 'sr_height', 'sr_width', form.output)],
    },
  });
}

type Graph = ReturnType<typeof startGraph>;

function startGraph() {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  return {
    nodes,
    constants,
    /** Add an operation whose only output has its name; returns the name. */
    add(opType: string, name: string, input: string[], attribute: OnnxAttribute[] = []): string {
      nodes.push({ opType, name, input, output: [name], attribute });
      return name;
    },
    constant(name: string, dims: number[], data: Float32Array): string {
      const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      constants.push({ name, dims, dataType: dataTypes.float, rawData });
      return name;
    },
  };
}

function addConvolution(graph: Graph, x: string, convolution: FoldedConvolution): string {
  const { name, side, inputs, outputs, bias } = convolution;
  const oihw = hwioToOihw(convolution.filter, [side, side, inputs, outputs]);
  const filter = graph.constant(`${name}/filter`, [outputs, inputs, side, side], oihw);
  const margin = (side - 1) / 2;
  return graph.add(
    'Conv',
    name,
    [x, filter, graph.constant(`${name}/bias`, [outputs], bias)],
    [intsAttribute('kernel_shape', [side, side]), intsAttribute('pads', [margin, margin, margin, margin])],
  );
}

/** Clip to the range; 8-bit pixels are first rounded half up, as in `pixelsOf`. */
function finishPixels(graph: Graph, x: string, pixels: OnnxPixels): void {
  const [black, white] = onnxPixelForms[pixels].ranges.output;
  const range = [
    graph.constant('sr/black', [], Float32Array.of(black)),
    graph.constant('sr/white', [], Float32Array.of(white)),
  ];
  if (pixels === 'float') {
    graph.add('Clip', 'sr', [x, ...range]);
    return;
  }
  const half = graph.constant('sr/half', [], Float32Array.of(0.5));
  const rounded = graph.add('Floor', 'sr/rounded', [graph.add('Add', 'sr/raised', [x, half])]);
  const clipped = graph.add('Clip', 'sr/clipped', [rounded, ...range]);
  const bytes = graph.add('Cast', 'sr/bytes', [clipped], [intAttribute('to', dataTypes.uint8)]);
  graph.add('Transpose', 'sr', [bytes], [intsAttribute('perm', [0, 2, 3, 1])]);
}

function pixelsValue(name: string, pixels: OnnxPixels, height: string, width: string, docString: string): OnnxValue {
  const sides = pixels === 'uint8' ? ['batch', height, width, 3] : ['batch', 3, height, width];
  const dim = sides.map((side) => (typeof side === 'number' ? { dimValue: side } : { dimParam: side }));
  const elemType = pixels === 'uint8' ? dataTypes.uint8 : dataTypes.float;
  return { name, docString, type: { tensorType: { elemType, shape: { dim } } } };
}
