import { describeError } from '../errors/errors.js';
import { startHttpServer, type HttpRoute } from './http-server.js';
import type { Logger } from '../log/log.js';
import type { Metrics } from './metrics.js';

/** What a part of a run serves over HTTP. */
export interface PartContent {
  metrics: Metrics;
  whyNotReady: () => string | undefined;
  routes?: Readonly<Record<string, HttpRoute>>;
}

export interface PartServer {
  /** Serve this from now on, and log the server's address. */
  show(content: PartContent): void;
  close(): Promise<void>;
}

/**
 * The HTTP server of a part of a run: `/healthz`, `/readyz`, `/metrics` and its routes. It opens its port at once, and is not ready before
 * it has content. Without `http` (host:port) there is no server. Throws like `startHttpServer`.
 */
export async function openPartServer(http: string | undefined, log: Logger): Promise<PartServer> {
  if (!http) return { show: () => undefined, close: async () => undefined };
  const server = await startHttpServer({
    listen: http,
    whyNotReady: () => 'starting',
    routes: {},
    onError: (path, error) =>
      log.warn({ event: 'http-failed', path, reason: describeError(error) }, 'an HTTP request was not answered'),
  });
  return {
    show({ metrics, whyNotReady, routes }) {
      server.show({ whyNotReady, routes: { ...routes, '/metrics': metrics.route } });
      log.info({ event: 'http', address: server.address }, 'listening for HTTP');
    },
    close: server.close,
  };
}
