import { describeError } from './errors.js';
import { startHttpServer, type HttpRoute, type RunningHttpServer } from './http-server.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

export interface PartServerOptions {
  /** host:port; there is no server where it is missing. */
  http: string | undefined;
  metrics: Metrics;
  whyNotReady: () => string | undefined;
  routes?: Readonly<Record<string, HttpRoute>>;
  log: Logger;
}

/** What each part of a run shows over HTTP: `/healthz`, `/readyz`, `/metrics` and `routes`. Throws as `startHttpServer`. */
export async function startPartServer(options: PartServerOptions): Promise<RunningHttpServer | undefined> {
  const { http, metrics, whyNotReady, routes, log } = options;
  if (!http) return undefined;
  const server = await startHttpServer({
    listen: http,
    whyNotReady,
    routes: { ...routes, '/metrics': metrics.route },
    onError: (path, error) =>
      log.warn({ event: 'http-failed', path, reason: describeError(error) }, 'an HTTP request was not answered'),
  });
  log.info({ event: 'http', address: server.address }, 'listening for HTTP');
  return server;
}
