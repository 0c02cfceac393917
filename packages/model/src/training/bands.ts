import tf = require('@tensorflow/tfjs-core');
import { exactCos } from '@fourfold/common/basics';
import { kernels } from '../kernels/kernels.js';
import type { Loss } from './distances.js';
import { spreadDistance } from './spread.js';

/** Side of the cosine transform's blocks. */
const side = 8;

/** Side of the windows, in pixels, in which a band's amplitude is measured. */
const window = 16;

/** Luminance of R, G and B (Rec. 601). */
const luminance = [0.299, 0.587, 0.114];

/**
 * How differently two pictures' luminance is spread over frequencies and directions: the spread distance of the 63 bands of an 8 x 8 cosine transform
 * (DCT-II) around each pixel, a constant left out. Photographs have amplitudes that fall as 1 / frequency (Field 1987): each band is
 * multiplied by its frequency, so that all count alike. `filter` is `createBandFilter`'s. The gradient is with respect to SR.
 */
export function bandDistance(hr: tf.Tensor4D, sr: tf.Tensor4D, filter: tf.Tensor4D): Loss {
  const bands = (x: tf.Tensor4D) => tf.tidy(() => inner(kernels().conv2d(x, filter, undefined, 1)));
  const [ofHr, ofSr] = [bands(hr), bands(sr)];
  const { value, gradient } = spreadDistance(ofHr, ofSr, window);
  const dSr = tf.tidy(() => kernels().conv2dInputGradient(outer(gradient), filter, sr.shape, 1));
  tf.dispose([ofHr, ofSr, gradient]);
  return { value, gradient: dSr };
}

/** The places whose blocks lie in the picture; padding 'same' puts 3 pixels before it and 4 after it. */
function inner(x: tf.Tensor4D): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape;
  return tf.slice(x, [0, 3, 3, 0], [batch, height - side + 1, width - side + 1, channels]);
}

/** The transpose of `inner`. */
const outer = (x: tf.Tensor4D): tf.Tensor4D =>
  tf.pad(x, [
    [0, 0],
    [3, 4],
    [3, 4],
    [0, 0],
  ]);

/** The transform as a filter, [row, column, R G B, band]: its orthonormal basis, times luminance and the band's frequency. */
export function createBandFilter(): tf.Tensor4D {
  const wave = (frequency: number, place: number) =>
    Math.sqrt((frequency === 0 ? 1 : 2) / side) * exactCos((Math.PI * (place + 0.5) * frequency) / side);
  const places = [...Array(side).keys()];
  const bands = places.flatMap((v) => places.map((u): [number, number] => [v, u])).slice(1);
  const values = Float32Array.from(
    places.flatMap((row) =>
      places.flatMap((column) =>
        luminance.flatMap((part) =>
          bands.map(([v, u]) => Math.sqrt(u * u + v * v) * part * wave(v, row) * wave(u, column)),
        ),
      ),
    ),
  );
  return kernels().upload(values, [side, side, luminance.length, bands.length]) as tf.Tensor4D;
}
