import { describeError } from './errors.js';
import { startHttpServer, type HttpRoute } from './http-server.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';

/** What a part of a run shows. */
export interface PartContent {
  metrics: Metrics;
  whyNotReady: () => string | undefined;
  routes?: Readonly<Record<string, HttpRoute>>;
}

export interface PartServer {
  /** Show this from now on; it is logged where the server listens. */
  show(content: PartContent): void;
  close(): Promise<void>;
}

/**
 * What each part of a run shows over HTTP: `/healthz`, `/readyz`, `/metrics` and its routes. It takes its port at once, and is not
 * ready before it has something to show. There is no server where `http` (host:port) is missing. Throws as `startHttpServer`.
 */
export async function openPartServer(http: string | undefined, log: Logger): Promise<PartServer> {
  if (!http) return { show: () => undefined, close: async () => undefined };
  const server = await startHttpServer({
    listen: http,
    whyNotReady: () => 'it starts',
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
