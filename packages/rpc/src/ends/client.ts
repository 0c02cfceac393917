import {
  credentials,
  InterceptingCall,
  type ChannelCredentials,
  type ClientOptions,
  type Interceptor,
} from '@grpc/grpc-js';
import type { CoordinatorClient } from '../generated/fourfold/v1/Coordinator.js';
import type { WorkerClient } from '../generated/fourfold/v1/Worker.js';
import { roleName } from '../security/roles.js';
import type { TlsIdentity } from '../security/tls.js';
import { peerAddress, targetOf, type Role } from '@fourfold/common';
import { joinTokenKey } from './permissions.js';
import { proxyOptions } from './proxy.js';
import { readRpcSecurity, type RpcSecurity } from './security.js';
import { bulkChannelOptions, chunkMessageBytes, controlMessageBytes, wire } from '../wire/wire.js';

/** The use of a client: only control messages, or also chunks of vectors. */
export type ChannelUse = 'control' | 'bulk';

const limits: Record<ChannelUse, ClientOptions> = {
  control: {
    'grpc.max_receive_message_length': controlMessageBytes,
    'grpc.max_send_message_length': controlMessageBytes,
  },
  bulk: {
    ...bulkChannelOptions,
    'grpc.max_receive_message_length': chunkMessageBytes,
    'grpc.max_send_message_length': controlMessageBytes,
  },
};

/**
 * A client of the coordinator at `address` (host:port). If this process has an identity, the server's certificate must have the
 * coordinator's role. Calls send the join token. Throws `mismatch` if `address` is not one.
 */
export const createCoordinatorClient = (
  address: string,
  use: ChannelUse,
  security = readRpcSecurity(process.env),
): CoordinatorClient => {
  const peer = peerAddress(address);
  return new wire.Coordinator(targetOf(peer), credentialsOf(security), {
    ...limits[use],
    ...proxyOptions(peer, process.env),
    ...expect('coordinator', security),
    ...(security.joinToken && { interceptors: [showing(security.joinToken)] }),
  });
};

/** A client of the worker at `address`, for pulling gradients. Throws `mismatch` if `address` is not one. */
export const createWorkerClient = (address: string, security = readRpcSecurity(process.env)): WorkerClient => {
  const peer = peerAddress(address);
  return new wire.Worker(targetOf(peer), credentialsOf(security), {
    ...limits.bulk,
    ...proxyOptions(peer, process.env),
    ...expect('worker', security),
  });
};

function credentialsOf({ identity }: RpcSecurity): ChannelCredentials {
  if (!identity) return credentials.createInsecure();
  const [authority, key, certificate] = [identity.authority, identity.key, identity.certificate].map((text) =>
    Buffer.from(text),
  );
  return credentials.createSsl(authority, key, certificate);
}

/** A server's certificate names its role, not its host. */
const expect = (server: Role, { identity }: { identity?: TlsIdentity }): ClientOptions =>
  identity ? { 'grpc.ssl_target_name_override': roleName(server), 'grpc.default_authority': roleName(server) } : {};

const showing =
  (joinToken: string): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set(joinTokenKey, joinToken);
        next(metadata, listener);
      },
    });
