import { createServer as createTcpServer, type Server as Listener, type Socket } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer, TLSSocket } from 'node:tls';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { describeError, FourfoldError, withDeadline, type Logger, type Role } from '@fourfold/common';
import type { TlsIdentity } from '../security/tls.js';
import { streamProtocol } from '../stream/frame.js';
import { serveStream, type StreamSource } from '../stream/stream-server.js';
import { guardHandlers, roleProblem } from './permissions.js';
import { sortByFirstByte, type Takers } from './first-byte.js';
import { followRenewal } from './renewal.js';
import { listenAddress, readRpcSecurity, type RpcSecurity } from './security.js';
import { chunkMessageBytes, controlMessageBytes } from '../wire/wire.js';

export interface RunningServer {
  /** The host and port it listens on. */
  address: string;
  /** Begin to answer calls of a service. Calls before that end with UNIMPLEMENTED. */
  addService(definition: ServiceDefinition, handlers: UntypedServiceImplementation): void;
  /** Send vectors by the bulk stream, which has the same port. With TLS only to callers of one of these roles. */
  addStream(callers: Role | readonly Role[], source: StreamSource): void;
  /** Refuse new calls, wait up to `graceMs` for those under way, then cut them off. */
  close(graceMs?: number): Promise<void>;
}

export interface ServerOptions {
  /** Logs refused callers. */
  log?: Logger;
  /** Read from the environment by default. */
  security?: RpcSecurity;
}

const handshakeMs = 10_000;
/** The shortest time between two log lines with the same reason. */
const refusalLogMs = 5_000;

/** Servers receive control messages and send chunks: bulk bytes are pulled by their receiver. */
const limits = {
  'grpc.max_receive_message_length': controlMessageBytes,
  'grpc.max_send_message_length': chunkMessageBytes,
};

/**
 * Start a gRPC server on `listen` (host:port; port 0 takes a free one). With an identity it accepts only callers with a certificate from
 * the same authority. Throws `unavailable` if the port is taken, `invalid` if other hosts could reach it without TLS.
 */
export async function startServer(
  listen: string,
  { log, security = readRpcSecurity(process.env) }: ServerOptions = {},
): Promise<RunningServer> {
  const { host, port } = listenAddress(listen, security);
  const onRefused = createRefusalLog(log);
  const server = new Server(limits);
  // TLS is handled here: grpc-js's own server does not report failed handshakes.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  let stream: { callers: readonly Role[]; source: StreamSource } | undefined;
  const takers: Takers = {
    grpc(socket) {
      // A broken connection ends its calls, which report it.
      socket.on('error', () => undefined);
      injector.injectConnection(socket);
    },
    stream(socket, first) {
      const refusal = stream ? streamRefusal(socket, stream.callers) : 'there is no bulk stream here';
      if (stream && refusal === undefined) return serveStream(socket, first, stream.source, onRefused);
      socket.on('error', () => undefined);
      onRefused(peerOf(socket), refusal ?? '');
      socket.destroy();
    },
  };
  const listener = security.identity
    ? tlsListener(security.identity, takers, onRefused)
    : createTcpServer({ noDelay: true }, (socket) => sortByFirstByte(socket, takers, handshakeMs));
  if (listener instanceof TlsServer) followRenewal(listener, security, log);
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (cause) =>
      reject(new FourfoldError('unavailable', `cannot listen on ${listen}`, { cause })),
    );
    listener.listen(port, host, resolve);
  });
  listener.on('error', (error) => {
    log?.warn({ event: 'connection-failed', reason: describeError(error) }, 'a connection could not be accepted');
  });
  const bound = listener.address();
  return {
    address: `${listen.slice(0, listen.lastIndexOf(':'))}:${bound && typeof bound === 'object' ? bound.port : port}`,
    addService: (definition, handlers) =>
      server.addService(definition, guardHandlers(definition, handlers, security, onRefused)),
    addStream(callers, source) {
      stream = { callers: [callers].flat(), source };
    },
    async close(graceMs = 1_000) {
      listener.close();
      const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await withDeadline(ended, graceMs, () => undefined);
      server.forceShutdown();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function tlsListener(
  { authority, certificate, key }: TlsIdentity,
  takers: Takers,
  onRefused: (peer: string, reason: string) => void,
): Listener {
  const options = {
    ca: authority,
    cert: certificate,
    key,
    noDelay: true,
    requestCert: true,
    // Refused below, where the reason is known.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', streamProtocol],
    handshakeTimeout: handshakeMs,
  };
  const refuse = (socket: TLSSocket, reason: string) => {
    // It may fail again while it ends.
    socket.on('error', () => undefined);
    onRefused(peerOf(socket), reason);
    socket.destroy();
  };
  const take = (socket: TLSSocket) => {
    if (socket.alpnProtocol === streamProtocol) takers.stream(socket);
    else takers.grpc(socket);
  };
  const listener = createTlsServer(options, (socket) => {
    if (socket.authorized) take(socket);
    else refuse(socket, `the caller’s certificate is not trusted: ${String(socket.authorizationError)}`);
  });
  listener.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    refuse(socket, `the TLS handshake failed: ${error.code ?? 'unknown'}`);
  });
  return listener;
}

/** Why a trusted caller of the bulk stream may not use it: its certificate is for other roles. */
const streamRefusal = (socket: Socket, callers: readonly Role[]): string | undefined =>
  socket instanceof TLSSocket ? roleProblem(callers, socket.getPeerCertificate()) : undefined;

const peerOf = ({ remoteAddress, remotePort }: Socket) =>
  remoteAddress ? `${remoteAddress}:${remotePort}` : 'unknown';

/** Logs refusals, with a limit per reason: a refused caller may retry as often as it likes. */
function createRefusalLog(log: Logger | undefined): (peer: string, reason: string) => void {
  const lastMs = new Map<string, number>();
  return (peer, reason) => {
    const nowMs = performance.now();
    if (nowMs - (lastMs.get(reason) ?? -Infinity) < refusalLogMs) return;
    lastMs.set(reason, nowMs);
    log?.warn({ event: 'caller-refused', peer, reason }, 'caller refused');
  };
}
