import { sha256 } from '@fourfold/common';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Content {
  body: Uint8Array | string;
  type: string;
  headers?: Readonly<Record<string, string>>;
}

/**
 * Answer a GET or HEAD with content that browsers may cache but must revalidate: a browser that has it already gets a
 * 304. The URL alone does not identify the content, since another run may be served at the same address later.
 */
export function sendContent(request: IncomingMessage, response: ServerResponse, content: Content): void {
  const { body, type, headers = {} } = content;
  const etag = `"${sha256(body).slice(0, 32)}"`;
  const common = { etag, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff', ...headers };
  const known = (request.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(etag)) {
    response.writeHead(304, common).end();
    return;
  }
  response.writeHead(200, { ...common, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  // Node.js omits the body of the answer to a HEAD.
  response.end(body);
}
