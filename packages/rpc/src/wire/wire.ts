import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType } from '../generated/fourfold.js';
import type { Token__Output } from '../generated/fourfold/v1/Token.js';
import { deserializeChunk, serializeChunk } from './chunk-frame.js';

/** Raised when an older peer would misunderstand a newer one; each side refuses any version but its own. */
export const protocolVersion = 6;

/** The build's copy, which the published package holds. */
const protoPath = fileURLToPath(new URL('../../dist/proto/fourfold/v1/fourfold.proto', import.meta.url));

const definition = loadSync(protoPath, { longs: Number, enums: String, defaults: true, oneofs: true });
for (const [service, method] of [
  ['Coordinator', 'PullParameters'],
  ['Worker', 'PullGradient'],
]) {
  const { [method]: bulk } = definition[`fourfold.v1.${service}`] as ServiceDefinition;
  const decode = bulk.responseDeserialize;
  bulk.responseSerialize = serializeChunk;
  bulk.responseDeserialize = (message: Buffer) => deserializeChunk(message, decode);
}

/** The services of proto/fourfold/v1. */
export const wire = (loadPackageDefinition(definition) as unknown as ProtoGrpcType).fourfold.v1;

/** Bytes of a bulk chunk: large enough to amortise a message's cost, small enough to stay in a processor's cache. */
export const chunkBytes = 256 << 10;

/** The largest message that carries a chunk. */
export const chunkMessageBytes = chunkBytes + 4096;

/** The largest of all other messages: an evaluation of a few thousand pictures. */
export const controlMessageBytes = 1 << 20;

/**
 * Channel options of a client that pulls bulk bytes: a window as large as what a fast network carries in a round trip. With 4 MiB only a
 * third of the speed is left at 5 ms.
 */
export const bulkChannelOptions = { 'grpc-node.flow_control_window': 16 << 20 };

/** A token as a map key and in logs. */
export const tokenName = (token: Pick<Token__Output, 'term' | 'number'>): string => `${token.term}.${token.number}`;
