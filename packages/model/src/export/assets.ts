import { readFile } from 'node:fs/promises';

const asset = (name: string) => readFile(new URL(`../../assets/${name}`, import.meta.url), 'utf8');

/** A file with the PyTorch class that loads the output of `encodeTorchGenerator`. */
export const torchClass = (): Promise<string> => asset('generator.py');

/** A module with UpscalerJS's definition of the model that `encodeGraphModel` wrote. */
export const upscalerModel = (): Promise<string> => asset('upscaler-model.js');
