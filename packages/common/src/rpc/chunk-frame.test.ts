import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { expect, test } from 'vitest';
import { deserializeChunk, serializeChunk } from './chunk-frame.js';

/** The bytes that grpc-js would send of a chunk. */
function bytesOf(begin: number, data: Uint8Array): Buffer {
  const message = serializeChunk({ begin, data });
  const frame = Buffer.alloc(message.byteLength + 5, 1);
  message.copy(frame, 5);
  return frame.subarray(5);
}

const data = Uint8Array.from({ length: 300 }, (_, i) => i);
const proto = fileURLToPath(new URL('../../../../proto/fourfold/v1/fourfold.proto', import.meta.url));
/** As protobuf's own library reads a chunk. */
const { responseDeserialize } = (loadSync(proto)['fourfold.v1.Worker'] as ServiceDefinition)['PullGradient'];

test.each([0, 1, 262_144, 2 ** 32 - 1])('a chunk at byte %i is what protobuf says it is', (begin) => {
  expect(responseDeserialize(bytesOf(begin, data))).toEqual({ begin, data: Buffer.from(data) });
  expect(deserializeChunk(bytesOf(begin, data))).toEqual({ begin, data: Buffer.from(data) });
});

test('its data is no copy', () => {
  const message = bytesOf(0, data);
  const { data: view } = deserializeChunk(message);
  expect(view.buffer).toBe(message.buffer);
});

test('what is no chunk is never the next one', () => {
  const good = bytesOf(7, data);
  const changed = (at: number) => Buffer.from(good).fill(0x55, at, at + 1);
  const longer = Buffer.concat([good, Buffer.alloc(1)]);
  for (const bad of [
    Buffer.alloc(0),
    good.subarray(0, 10),
    good.subarray(0, -1),
    longer,
    changed(0),
    changed(5),
    changed(7),
  ])
    expect(deserializeChunk(bad)).toEqual({ begin: -1, data: Buffer.alloc(0) });
});
