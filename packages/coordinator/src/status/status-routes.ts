import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { endWith, type HttpRoute } from '@fourfold/common';
import { sendContent, type Content } from './http-content.js';
import { createStatusEvents } from './status-events.js';
import { statusSnapshot, type StatusSource } from './status.js';
import type { ValidationPictures } from './validation-pictures.js';

/** The page's files are not compiled: they are in the same place relative to src and dist. */
const pageFolder = new URL('../../src/status-page/', import.meta.url);
const pageFiles = [
  'index.html',
  'page.css',
  'curves.css',
  'comparison.css',
  'workers.css',
  'page.js',
  'connection.js',
  'overview.js',
  'curves.js',
  'chart.js',
  'comparison.js',
  'picture-list.js',
  'workers.js',
  'elements.js',
  'format.js',
  'icon.svg',
];
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, no forms, no framing. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
};

/**
 * Routes of the status page: `/` and its files, `/status.json` (StatusSnapshot), `/events` (server-sent), and
 * `/validation/...`, pictures from the run's store. `close` ends the pages' event streams after they have the last
 * state.
 */
export async function createStatusRoutes(
  source: StatusSource,
  pictures: Pick<ValidationPictures, 'read'>,
): Promise<{ routes: Record<string, HttpRoute>; close: () => void }> {
  const files = await Promise.all(
    pageFiles.map(async (name): Promise<[string, HttpRoute]> => {
      const content: Content = {
        body: await readFile(new URL(name, pageFolder)),
        type: types[extname(name)],
        headers: pageHeaders,
      };
      return [name === 'index.html' ? '/' : `/${name}`, (request, response) => sendContent(request, response, content)];
    }),
  );
  const events = createStatusEvents(source);
  return {
    routes: {
      ...Object.fromEntries(files),
      '/status.json': (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
        response.end(JSON.stringify(statusSnapshot(source)));
      },
      '/events': events.watch,
      async '/validation/'(request, response) {
        // Only listed keys can be read: any other path is not found.
        const key = (request.url ?? '').split('?')[0].slice(1);
        const body = await pictures.read(key);
        if (body) sendContent(request, response, { body, type: 'image/webp' });
        else endWith(response, 404, 'not found');
      },
    },
    close: events.close,
  };
}
