import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect, test } from 'vitest';
import { deserializeChunk, serializeChunk } from './chunk-frame.js';
import { wire } from './wire.js';

/** The bytes that grpc-js would send for a chunk. */
function bytesOf(begin: number, data: Uint8Array): Buffer {
  const message = serializeChunk({ begin, data });
  const frame = Buffer.alloc(message.byteLength + 5, 1);
  message.copy(frame, 5);
  return frame.subarray(5);
}

const data = Uint8Array.from({ length: 300 }, (_, i) => i);
const proto = fileURLToPath(new URL('../../../../proto/fourfold/v1/fourfold.proto', import.meta.url));
/** As protobuf's own library writes and reads a chunk. */
const { responseSerialize, responseDeserialize } = (
  loadSync(proto, { defaults: true })['fourfold.v1.Worker'] as ServiceDefinition
)['PullGradient'];
const read = (message: Buffer) => deserializeChunk(message, responseDeserialize);

test.each([0, 1, 262_144, 2 ** 32 - 1])('protobuf reads a chunk at byte %i', (begin) => {
  expect(responseDeserialize(bytesOf(begin, data))).toEqual({ begin, data: Buffer.from(data) });
  expect(read(bytesOf(begin, data))).toEqual({ begin, data: Buffer.from(data) });
});

test.each([0, 1, 127, 128, 300])('a chunk of %i bytes written by another protobuf library is read', (length) => {
  for (const begin of [0, 262_144]) {
    const chunk = { begin, data: Buffer.from(data.subarray(0, length)) };
    expect(read(responseSerialize(chunk))).toEqual(chunk);
    expect(wire.Worker.service.PullGradient.responseDeserialize(responseSerialize(chunk))).toEqual(chunk);
  }
});

test('a missing begin is zero, and unknown fields are skipped', () => {
  const bytes = Buffer.from([0x18, 0x05, 0x12, 0x02, 0xaa, 0xbb]);
  expect(read(bytes)).toEqual({ begin: 0, data: Buffer.from([0xaa, 0xbb]) });
});

test('the data of our own form is not copied', () => {
  const message = bytesOf(0, data);
  const { data: view } = read(message);
  expect(view.buffer).toBe(message.buffer);
});

test('bytes that are not a chunk are never the expected one', () => {
  const good = bytesOf(7, data);
  for (const bad of [good.subarray(0, 10), good.subarray(0, -1), good.fill(0xff, 6, 11)])
    expect(read(bad)).toEqual({ begin: -1, data: Buffer.alloc(0) });
});
