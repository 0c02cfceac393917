import { openPartServer, type Logger, type Own, type PartServer, type RunConfig, type Network } from '@fourfold/common';
import { readRpcSecurity, startServer, type RpcSecurity, type RunningServer } from '@fourfold/rpc';
import { openParameterFiles, type ParameterFiles } from '../exchange/parameter-files.js';

export interface PortOptions {
  config: RunConfig;
  /** host:port; port 0 takes a free one. */
  listen: string;
  /** The address where workers reach it, if that differs from `listen`. */
  advertise?: string;
  /** host:port of the status page and of `/metrics`; without it neither is served. */
  http?: string;
}

/** Where others reach this coordinator. */
export interface Ports {
  security: RpcSecurity;
  server: RunningServer;
  /** The address that workers are told. */
  address: string;
  http: PartServer;
  files: ParameterFiles;
}

/**
 * Open the ports and files that a coordinator needs on this machine. Throws as `startServer`, `startHttpServer` and
 * `openParameterFiles` do.
 */
export async function openPorts(
  { config, listen, advertise, http }: PortOptions,
  networks: readonly Network[],
  own: Own,
  log: Logger,
): Promise<Ports> {
  const security = readRpcSecurity(process.env);
  const files = own(await openParameterFiles(config.exchange, networks, log), (files) => files.close());
  const server = own(await startServer(listen, { log, security }), (server) => server.close());
  const page = own(await openPartServer(http, log), (page) => page.close());
  return { security, server, address: advertise ?? server.address, http: page, files };
}
