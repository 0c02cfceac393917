/** RGB bytes, pixel by pixel, as three planes of floats in [0, 1]. */
export function bytesToPlanes(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const area = bytes.length / 3;
  return Float32Array.from({ length: bytes.length }, (_, i) => bytes[3 * (i % area) + Math.floor(i / area)] / 255);
}

/** Three planes of floats in [0, 1] as RGB bytes, each the nearest level. */
export function planesToBytes(planes: Float32Array): Uint8Array {
  const area = planes.length / 3;
  return Uint8Array.from(planes, (_, i) => Math.floor(planes[(i % 3) * area + Math.floor(i / 3)] * 255 + 0.5));
}
