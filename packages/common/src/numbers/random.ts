import { createHash } from 'node:crypto';

/** A stream of pseudo-random numbers; the same keys give the same stream on every host. */
export interface RandomStream {
  /** Uniform in 0 .. 2^32 - 1. */
  uint32(): number;
  /** Uniform in [0, 1) with 32 bits. */
  float(): number;
  /** Uniform integer in 0 .. bound - 1, for bounds up to 2^32. */
  below(bound: number): number;
}

/**
 * A random stream, a pure function of its keys: their SHA-256 seeds xoshiro128** (Blackman and Vigna 2018,
 * "Scrambled Linear Pseudorandom Number Generators"). Integer arithmetic only, so every host gives the same bits.
 */
export function randomStream(...keys: (string | number)[]): RandomStream {
  const digest = createHash('sha256').update(JSON.stringify(keys)).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset));
  const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  const uint32 = () => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  return {
    uint32,
    float: () => uint32() / 2 ** 32,
    below: (bound) => Math.floor((uint32() / 2 ** 32) * bound),
  };
}

/** A random permutation of 0 .. count - 1 (Fisher-Yates). */
export function permutation(count: number, random: RandomStream): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
