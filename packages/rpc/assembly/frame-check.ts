/*
 * The check value of a frame's payload, in 32 lanes side by side: each takes a word, multiplies by an odd number and mixes high bits into low ones,
 * as MurmurHash and xxHash do. Both are bijections, of the lane for a given word and of the word for a given lane: damage to a single word always
 * shows, any other passes about once in 2^32.
 */

/** Bytes that a round takes. */
const blockBytes: usize = 128;

/** xxHash32's. */
const prime1: i32 = 0x9e3779b1;
const prime3: u32 = 0xc2b2ae3d;
const prime4: u32 = 0x27d4eb2f;

/** The check value of whole blocks of 128 bytes from address `source` to `end`. */
export function frameCheck(source: usize, end: usize): u32 {
  const start = i32x4.splat(prime1);
  let a = start;
  let b = start;
  let c = start;
  let d = start;
  let e = start;
  let f = start;
  let g = start;
  let h = start;
  for (; source < end; source += blockBytes) {
    a = round(a, v128.load(source));
    b = round(b, v128.load(source, 16));
    c = round(c, v128.load(source, 32));
    d = round(d, v128.load(source, 48));
    e = round(e, v128.load(source, 64));
    f = round(f, v128.load(source, 80));
    g = round(g, v128.load(source, 96));
    h = round(h, v128.load(source, 112));
  }
  let value: u32 = 0;
  value = merge(value, a);
  value = merge(value, b);
  value = merge(value, c);
  value = merge(value, d);
  value = merge(value, e);
  value = merge(value, f);
  value = merge(value, g);
  return merge(value, h);
}

/** The next state of four lanes. */
function round(lanes: v128, words: v128): v128 {
  const product = i32x4.mul(v128.xor(lanes, words), i32x4.splat(prime1));
  return v128.xor(product, i32x4.shr_u(product, 15));
}

function merge(value: u32, lanes: v128): u32 {
  value = mergeLane(value, i32x4.extract_lane(lanes, 0));
  value = mergeLane(value, i32x4.extract_lane(lanes, 1));
  value = mergeLane(value, i32x4.extract_lane(lanes, 2));
  return mergeLane(value, i32x4.extract_lane(lanes, 3));
}

const mergeLane = (value: u32, lane: u32): u32 => rotl<u32>(value + lane * prime3, 17) * prime4;
