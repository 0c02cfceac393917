import type { ChannelOptions } from '@grpc/grpc-js';
import { isLoopback, type Environment, type Address } from '@fourfold/common';

/**
 * Whether a channel to a peer uses the HTTP proxy that `grpc_proxy`, `https_proxy` or `http_proxy` names, as grpc-js does by default. The
 * parts of a run reach each other directly, so a proxy is used only with `FOURFOLD_GRPC_PROXY=1`, and never for this host.
 */
export const proxyOptions = ({ host }: Address, environment: Environment): ChannelOptions => ({
  'grpc.enable_http_proxy': environment['FOURFOLD_GRPC_PROXY'] === '1' && !isLoopback(host) ? 1 : 0,
});
