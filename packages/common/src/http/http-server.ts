import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { FourfoldError } from '../errors/errors.js';
import { parseAddress } from './address.js';

/** Answers requests for one path. An error becomes a 500 without details. */
export type HttpRoute = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** The content that a server serves. */
export interface HttpContent {
  /** Why this process is not, or no longer, ready for work; undefined if it is. */
  whyNotReady: () => string | undefined;
  /** By path, such as `/metrics`; a path that ends in `/` serves all paths that begin with it. */
  routes: Readonly<Record<string, HttpRoute>>;
  /** POST requests, by path. */
  posts?: Readonly<Record<string, HttpRoute>>;
  /** Paths without a route; by default they are not found. */
  otherwise?: HttpRoute;
}

export interface HttpServerOptions extends HttpContent {
  /** host:port; port 0 takes a free one. */
  listen: string;
  onError: (path: string, error: unknown) => void;
}

export interface RunningHttpServer {
  /** host:port that it listens on. */
  address: string;
  /** Replace the content. */
  show(content: HttpContent): void;
  /** Answer a request from the content of this moment. */
  answer: HttpRoute;
  close: () => Promise<void>;
}

const headersMs = 5_000;

/**
 * Start the HTTP server of a process: `/healthz` (this process runs), `/readyz` (200, or 503 with the reason), and `routes`.
 * Throws `invalid` if `listen` is not a host:port, `unavailable` if the port is taken.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const { listen, onError } = options;
  let content: HttpContent = options;
  const place = parseAddress(listen);
  if (!place) {
    throw new FourfoldError('invalid', `${listen} is not a host:port to listen on`, {
      hint: 'give both, such as 127.0.0.1:8080; port 0 takes a free one',
    });
  }
  const own: Record<string, HttpRoute> = {
    '/healthz': (_, response) => endWith(response, 200, 'ok'),
    '/readyz': (_, response) => {
      const reason = content.whyNotReady();
      endWith(response, reason === undefined ? 200 : 503, reason ?? 'ok');
    },
  };
  const find = (path: string): HttpRoute | undefined =>
    own[path] ??
    content.routes[path] ??
    Object.entries(content.routes).find(
      ([prefix]) => prefix.length > 1 && prefix.endsWith('/') && path.startsWith(prefix),
    )?.[1];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0];
    const isPost = request.method === 'POST';
    const posts = content.posts ?? {};
    if (!isPost && request.method !== 'GET' && request.method !== 'HEAD') return endWith(response, 405, 'only GET');
    if (isPost && !posts[path]) return endWith(response, 405, 'only GET');
    const route = isPost ? posts[path] : (find(path) ?? content.otherwise);
    if (!route) return endWith(response, 404, 'not found');
    try {
      await route(request, response);
    } catch (error) {
      onError(path, error);
      if (response.headersSent) response.destroy();
      else endWith(response, 500, 'this could not be answered; the log says why');
    }
  };
  const server = createServer({ headersTimeout: headersMs }, (request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.on('error', (cause) => {
      // Once listening, a connection that cannot be accepted is not fatal.
      if (server.listening) onError(listen, cause);
      else reject(new FourfoldError('unavailable', `cannot listen on ${listen}`, { cause }));
    });
    server.listen(place.port, place.host, resolve);
  });
  const bound = server.address();
  return {
    address: `${listen.slice(0, listen.lastIndexOf(':'))}:${bound && typeof bound === 'object' ? bound.port : ''}`,
    show: (next) => (content = next),
    answer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** End a response with a line of text. */
export function endWith(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
