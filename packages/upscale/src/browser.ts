import { FourfoldError } from '@fourfold/common/basics';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { fetchBytes, fetchGenerator } from './fetched.js';
import { generatorOf } from '@fourfold/weights';
import { addWebgpuKernels } from '@fourfold/model/webgpu-kernels';
import { backendStarter, createModel, type Open } from './model.js';
import { rgbOf } from './pixels.js';
import type { Model, ModelSource, Picture, ReadModelOptions } from './types.js';

export type * from './types.js';

/**
 * Read a trained generator and put it on a backend of this browser. Throws an error whose message names what is wrong, and whose
 * `options.hint` says what to do about it.
 */
export async function readModel(source: ModelSource, options: ReadModelOptions = {}): Promise<Model> {
  const { signal } = options;
  const weights =
    source instanceof Uint8Array || source instanceof ArrayBuffer
      ? generatorOf(new Uint8Array(source), 'the model’s bytes')
      : await fetchGenerator(new URL(source, document.baseURI).href, signal);
  return createModel(weights, await backendFor(options), open);
}

/** A picture as a canvas takes it: `context.putImageData(toImageData(picture), 0, 0)`. */
export function toImageData({ data, width, height }: Picture): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0, from = 0; i < image.data.length; i += 4) {
    for (let c = 0; c < 3; c++) image.data[i + c] = data[from++];
    image.data[i + 3] = 255;
  }
  return image;
}

let hasWasmPaths = false;

/** The backend of this page. WebGPU is taken if the page has loaded that backend and it starts. */
const backendFor = backendStarter(async ({ backend: choice }: ReadModelOptions) => {
  if (choice === 'torch' || choice === 'tensorflow') {
    throw new FourfoldError('invalid', `backend ${choice} is for Node.js`, { hint: 'take wasm or webgpu' });
  }
  if (choice !== 'wasm' && tf.findBackendFactory('webgpu') && (await tf.setBackend('webgpu'))) {
    addWebgpuKernels();
    return 'webgpu';
  }
  if (choice === 'webgpu') {
    throw new FourfoldError('invalid', 'backend webgpu is missing, or does not start', {
      hint: 'load @tensorflow/tfjs-backend-webgpu first, in a browser with WebGPU; or take wasm',
    });
  }
  // The build puts the files beside the bundle. After a failed start the paths cannot be set again.
  if (!hasWasmPaths) {
    setWasmPaths({
      'tfjs-backend-wasm.wasm': new URL('tfjs-backend-wasm.wasm', import.meta.url).href,
      'tfjs-backend-wasm-simd.wasm': new URL('tfjs-backend-wasm-simd.wasm', import.meta.url).href,
      'tfjs-backend-wasm-threaded-simd.wasm': new URL('tfjs-backend-wasm-threaded-simd.wasm', import.meta.url).href,
    });
    hasWasmPaths = true;
  }
  if (!(await tf.setBackend('wasm'))) {
    throw new FourfoldError('unavailable', 'backend wasm does not start; the console says why', {
      hint: 'serve the .wasm files beside upscale.js; a Content-Security-Policy must allow wasm-unsafe-eval',
    });
  }
  return 'wasm';
});

const open: Open = async (source, signal) => {
  if (source instanceof Blob) return () => decodeBlob(source, 'the picture');
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) {
    return () => decodeBlob(new Blob([new Uint8Array(source)]), 'the picture');
  }
  const url = new URL(source, document.baseURI).href;
  const blob = new Blob([await fetchBytes(url, signal)]);
  return () => decodeBlob(blob, url);
};

/** Decode by the browser, on white, without applying a colour profile. Throws `invalid`. */
async function decodeBlob(blob: Blob, name: string): Promise<Picture> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
  } catch (cause) {
    throw new FourfoldError('invalid', `${name} is not a picture that this browser decodes`, { cause });
  }
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new FourfoldError('unavailable', `${name}: a canvas of ${width}x${height} cannot be created`);
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return rgbOf(context.getImageData(0, 0, width, height));
}
