import type { Padding } from './layout.js';

/** A convolution's sizes in libtorch's form, with two or three spatial axes. */
export interface Geometry {
  rank: 4 | 5;
  dataFormat: string;
  strides: number[];
  dilations: number[];
  padding: Padding;
  groups: number;
  /** Input's shape with channels first. */
  inputShape: number[];
  outputSizes: number[];
}
