import { expect, test } from 'vitest';
import { createPayloadCheck } from './payload-check.js';

const maxBytes = 256 << 10;
const checkOf = createPayloadCheck(maxBytes);

/** Bytes without a pattern, the same in every run. */
function bytesOf(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = Math.imul(state, 1_664_525) + 1_013_904_223) >>> 24);
}

/** The definition, lane by lane. */
function definition(payload: Uint8Array): number {
  const prime = [0x9e3779b1, 0xc2b2ae3d, 0x27d4eb2f];
  const padded = new Uint8Array(Math.ceil(payload.length / 128) * 128);
  padded.set(payload);
  const words = new Uint32Array(padded.buffer);
  let value = 0;
  for (let lane = 0; lane < 32; lane++) {
    let state = prime[0];
    for (let at = lane; at < words.length; at += 32) {
      state = Math.imul(state ^ words[at], prime[0]);
      state ^= state >>> 15;
    }
    const sum = (value + Math.imul(state, prime[1])) | 0;
    value = Math.imul((sum << 17) | (sum >>> 15), prime[2]);
  }
  return value >>> 0;
}

test.each([0, 1, 127, 128, 129, 5000, maxBytes - 4, maxBytes])('the check value of %i bytes', (length) => {
  const payload = bytesOf(length);
  expect(checkOf(payload)).toBe(definition(payload));
});

test('what an earlier payload left does not count', () => {
  const before = checkOf(bytesOf(200));
  checkOf(bytesOf(maxBytes));
  expect(checkOf(bytesOf(200))).toBe(before);
});

test('every changed bit shows, and every two stretches that changed places', () => {
  const payload = bytesOf(1000);
  const seen = new Set([checkOf(payload)]);
  for (let bit = 0; bit < 8 * payload.length; bit++) {
    payload[bit >> 3] ^= 1 << (bit & 7);
    seen.add(checkOf(payload));
    payload[bit >> 3] ^= 1 << (bit & 7);
  }
  for (const size of [4, 128]) {
    for (let at = size; at + size <= payload.length; at += size) {
      const moved = payload.slice();
      moved.set(payload.subarray(at, at + size), 0);
      moved.set(payload.subarray(0, size), at);
      seen.add(checkOf(moved));
    }
  }
  // 1 as it was, 8,000 with a bit changed, 249 and 6 with stretches exchanged.
  expect(seen.size).toBe(1 + 8000 + 249 + 6);
});

test('the same two bits changed in many words do not cancel out', () => {
  const payload = bytesOf(4096);
  const seen = new Set([checkOf(payload)]);
  let count = 1;
  for (let first = 3; first < 2048; first += 128) {
    for (let second = first + 128; second < 4096; second += 128) {
      const damaged = payload.slice();
      damaged[first] ^= 0x80;
      damaged[second] ^= 0x80;
      seen.add(checkOf(damaged));
      count++;
    }
  }
  expect(seen.size).toBe(count);
});
