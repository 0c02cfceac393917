import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { FourfoldError } from '../errors.js';

export interface RunningServer {
  /** Host and port that it listens on. */
  address: string;
  /** Answer calls of a service. Calls that come earlier end with UNIMPLEMENTED. */
  addService(definition: ServiceDefinition, handlers: UntypedServiceImplementation): void;
  /** Refuse new calls, wait for those under way until `graceMs` have passed, then cut them off. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Start a gRPC server on `listen` (host:port; port 0 takes a free one). Throws `unavailable` when the port is taken.
 */
export async function startServer(listen: string): Promise<RunningServer> {
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new FourfoldError('unavailable', `cannot listen on ${listen}`, { cause: error }));
      else resolve(bound);
    });
  });
  const host = listen.slice(0, listen.lastIndexOf(':'));
  return {
    address: `${host}:${port}`,
    addService: (definition, handlers) => server.addService(definition, handlers),
    close: (graceMs = 1_000) =>
      new Promise((resolve) => {
        const cutOff = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(cutOff);
          resolve();
        });
      }),
  };
}
