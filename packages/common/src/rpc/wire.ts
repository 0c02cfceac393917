import { fileURLToPath } from 'node:url';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType } from '../generated/fourfold.js';
import type { Token__Output } from '../generated/fourfold/v1/Token.js';

/** Raised when an older peer would misunderstand a newer one; both sides refuse another version than their own. */
export const protocolVersion = 1;

const protoPath = fileURLToPath(new URL('../../../../proto/fourfold/v1/fourfold.proto', import.meta.url));

const definition = loadSync(protoPath, { longs: Number, enums: String, defaults: true, oneofs: true });

/** The services of proto/fourfold/v1. */
export const wire = (loadPackageDefinition(definition) as unknown as ProtoGrpcType).fourfold.v1;

/** Bytes of a bulk chunk: large enough to amortise a message's cost, far below gRPC's limit of 4 MiB. */
export const chunkElements = (1 << 20) / Float32Array.BYTES_PER_ELEMENT;

/** Channel options of a client that pulls bulk bytes: a window as large as a round trip of a fast network holds. */
export const bulkChannelOptions = { 'grpc-node.flow_control_window': 16 << 20 };

/** A token as a map key and in logs. */
export const tokenName = (token: Pick<Token__Output, 'term' | 'number'>): string => `${token.term}.${token.number}`;
