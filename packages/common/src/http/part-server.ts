import { describeError } from '../errors/errors.js';
import { endWith, startHttpServer, type HttpRoute } from './http-server.js';
import type { Logger } from '../log/log.js';
import { withDeadline } from '../process/waits.js';
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

/** How long a request waits for a part that starts; a status page waits 5 seconds for an answer. */
const patienceMs = 4_000;

/**
 * The HTTP server of a part of a run: `/healthz`, `/readyz`, `/metrics` and its routes. It opens its port at once, and is not ready before
 * it has content; requests wait for that a little, then get a 503. Without `http` (host:port) there is no server. Throws like `startHttpServer`.
 */
export async function openPartServer(
  http: string | undefined,
  log: Pick<Logger, 'info' | 'warn'>,
  startMs = patienceMs,
): Promise<PartServer> {
  if (!http) return { show: () => undefined, close: async () => undefined };
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const server = await startHttpServer({
    listen: http,
    whyNotReady: () => 'starting',
    routes: {},
    async otherwise(request, response) {
      const isLate = await withDeadline(
        begun.then(() => false),
        startMs,
        () => true,
      );
      if (isLate) endWith(response, 503, 'starting');
      else await server.answer(request, response);
    },
    onError: (path, error) =>
      log.warn({ event: 'http-failed', path, reason: describeError(error) }, 'an HTTP request was not answered'),
  });
  return {
    show({ metrics, whyNotReady, routes }) {
      server.show({ whyNotReady, routes: { ...routes, '/metrics': metrics.route } });
      begin();
      log.info({ event: 'http', address: server.address }, 'listening for HTTP');
    },
    close: server.close,
  };
}
