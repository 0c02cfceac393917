import { createWireVector } from '@fourfold/rpc';
import { FourfoldError, sha256, type RunConfig, type Network } from '@fourfold/common';
import { type WireLayout, networkWires } from '@fourfold/weights';
import type { Master } from '@fourfold/coordinator';

/*
 * Checks that `bench update` received what was sent, outside the measured time.
 */

/** One element in this many is checked. A prime, so that all positions in chunks and lanes occur. */
const stride = 101;

/** Fill a gradient vector of the bench with values of about 1e-3, of both signs, using all bits of the mantissa. */
export function fillGradient(vector: Float32Array): void {
  for (let i = 0; i < vector.length; i++) vector[i] = ((Math.imul(i, 0x9e3779b1) >> 8) / 2 ** 23) * 1e-3;
}

/** A digest of the checked elements of a vector. */
export const digestOf = (vector: Float32Array): string =>
  sha256(
    new Uint8Array(
      Float32Array.from({ length: Math.ceil(vector.length / stride) }, (_, i) => vector[i * stride]).buffer,
    ),
  );

/** The digest of a parameter vector after its encoding for the wire. */
export function digestAfterWire(layout: WireLayout, vector: Float32Array): string {
  const wire = createWireVector(layout);
  wire.vector.set(vector);
  wire.encode();
  wire.decode();
  return digestOf(wire.vector);
}

/** Check that a network's sum is the sum of the bench's gradients. Throws `corrupt`, naming the first element that differs. */
export function checkSum(config: RunConfig, master: Pick<Master, 'state'>, network: Network): void {
  const { gradients } = networkWires(config)[network];
  const wire = createWireVector(gradients);
  fillGradient(wire.vector);
  wire.encode();
  wire.decode();
  const { sum, parameterCount } = master.state(network);
  for (let element = 0; element < sum.length; element += stride) {
    const one = elementOf(gradients, wire.vector, element);
    const round = config.exchange.sums === 'bf16' && element < parameterCount ? nearestBf16 : Math.fround;
    let expected = round(one);
    for (let replica = 1; replica < config.data.replicas; replica++) expected = round(Math.fround(expected + one));
    if (sum[element] === expected) continue;
    const what = `element ${element} of the ${network}’s sum is ${sum[element]}, not ${expected}`;
    throw new FourfoldError('corrupt', `the exchange has lost or changed something: ${what}`);
  }
}

/** The nearest bfloat16 of a float32, ties to even. */
function nearestBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}

/** An element of a network's vector, computed from the sender's. */
function elementOf({ sections }: WireLayout, vector: Float32Array, element: number): number {
  const section = sections.find(({ begin, count }) => element >= begin && element < begin + count);
  if (!section) throw new Error(`element ${element} is in no section`);
  const place = element - section.begin;
  if (!section.factors) return vector[section.sourceBegin + place];
  const { rows, inputs, outputs } = section.factors;
  const [i, j] = [Math.floor(place / outputs), place % outputs];
  let product = 0;
  for (let row = 0; row < rows; row++) {
    const x = vector[section.sourceBegin + row * inputs + i];
    const dy = vector[section.sourceBegin + rows * inputs + row * outputs + j];
    product = Math.fround(product + Math.fround(x * dy));
  }
  return product;
}
