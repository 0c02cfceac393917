/*
 * What programs see of this package. It imports nothing, so that the types check everywhere, without TensorFlow.js's.
 */

/** 8-bit pixels, row by row from the top left: 3 values a pixel (RGB) or 4 (RGB and alpha). A browser's ImageData is one. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
}

/** 8-bit RGB pixels, row by row: `data[(y * width + x) * 3 + channel]`. */
export interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
}

/**
 * A picture: the path of a file (in Node.js) or a URL; the bytes of a JPEG, PNG, WebP and so on; or pixels. Alpha is composited on white,
 * EXIF orientation is applied, colour profiles are not applied.
 */
export type PictureSource = string | URL | Uint8Array | ArrayBuffer | Blob | Pixels;

/**
 * A trained generator: a checkpoint's folder, what `fourfold export --format safetensors` wrote, or a `generator.safetensors`, by path (in
 * Node.js) or URL; or the bytes of such a file. In Node.js also a run's folder, for its newest checkpoint: by path or s3: only.
 */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer;

export interface ReadModelOptions {
  /**
   * What computes. In Node.js: `wasm`, and `torch`, `tensorflow` or `webgpu` where they are set up. In browsers: `wasm`, or `webgpu` if the
   * page has loaded @tensorflow/tfjs-backend-webgpu. `auto`, the default, takes the best one found. The first model decides for all.
   */
  backend?: 'auto' | 'torch' | 'tensorflow' | 'webgpu' | 'wasm';
  /** Threads to compute with in Node.js; by default as many as the machine has cores. */
  threads?: number;
  /** Stops fetching. */
  signal?: AbortSignal;
}

export interface UpscaleOptions {
  /** Pixels a side of the input that are computed at a time, which bounds the memory; 256 by default. */
  tile?: number;
  /** Called from time to time with the share that is done, from 0 to 1. */
  onProgress?: (share: number) => void;
  /** Ends the work early: `upscale` rejects with its reason. */
  signal?: AbortSignal;
}

/** A generator that is ready to work. */
export interface Model {
  /** How many times wider and higher its results are. */
  readonly scale: 4;
  /** Its width, and its number of residual blocks. */
  readonly channels: number;
  readonly blocks: number;
  /** What computes. */
  readonly backend: string;
  /** Upscale a picture. Several calls are done one after the other; between steps of some work, other code runs. */
  upscale(source: PictureSource, options?: UpscaleOptions): Promise<Picture>;
  /** Free its memory. It cannot be used after that. */
  dispose(): void;
}
