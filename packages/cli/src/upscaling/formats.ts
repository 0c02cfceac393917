import { extname } from 'node:path';

/** The formats that are written, by the names of `--format`. */
export const outputFormats = ['png', 'jpg', 'webp', 'tiff', 'avif'] as const;
export type OutputFormat = (typeof outputFormats)[number];

const formatByExtension: Record<string, OutputFormat> = {
  '.jpg': 'jpg',
  '.jpeg': 'jpg',
  '.jpe': 'jpg',
  '.jfif': 'jpg',
  '.png': 'png',
  '.webp': 'webp',
  '.tif': 'tiff',
  '.tiff': 'tiff',
  '.avif': 'avif',
};

/** The format that a file's extension names, if it is written. */
export const formatOfName = (path: string): OutputFormat | undefined => formatByExtension[extname(path).toLowerCase()];
