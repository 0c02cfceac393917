import type { GeneratorWeights } from '@fourfold/weights';
import type { OnnxPixels } from '@fourfold/model/export';
import type { Format } from './format.js';

/** What `--format` may be. */
export const formatNames = ['onnx', 'tfjs', 'safetensors'] as const;
export type FormatName = (typeof formatNames)[number];

export interface FormatOptions {
  /** Input and output of an ONNX model. */
  pixels: OnnxPixels;
  /** The Python whose PyTorch runs the safetensors. */
  python?: string;
}

/** The format of a name, for a generator. Loads only what that format needs. */
export async function loadFormat(
  name: FormatName,
  weights: GeneratorWeights,
  { pixels, python }: FormatOptions,
): Promise<Format> {
  switch (name) {
    case 'onnx':
      return (await import('./onnx-format.js')).onnxFormat(pixels);
    case 'tfjs':
      return (await import('./tfjs-format.js')).tfjsFormat;
    case 'safetensors':
      return (await import('./safetensors-format.js')).safetensorsFormat(weights, python);
  }
}
