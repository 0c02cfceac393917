import { request } from 'node:http';
import { parseRunConfig, startHttpServer, type RunningHttpServer } from '@fourfold/common';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toEvaluation, type History } from '@fourfold/store';
import { createProgress } from '../training/progress.js';
import { createStatusRoutes } from './status-routes.js';
import type { StatusChange, StatusSnapshot } from './status.js';

const config = parseRunConfig(
  { name: 'routes', dataset: 'd', phases: [{ kind: 'mse', iterations: 5, learningRate: 1e-4 }] },
  'test',
);
const picture = 'validation/a.png/00000002.webp';

let history: History;
let state: string;
let server: RunningHttpServer;
let close: () => void;
beforeEach(async () => {
  history = { rows: [], evaluations: [] };
  state = 'training';
  const progress = createProgress(config);
  const source = {
    config,
    run: () => progress.status(state, 1, 0, { generator: history.rows.length, discriminator: 0 }),
    history: () => history,
    workers: () => [],
    checkpoint: () => undefined,
    pictures: () => [],
  };
  const read = (key: string) => (key === picture ? Promise.resolve(Buffer.from('a picture')) : undefined);
  const status = await createStatusRoutes(source, { read });
  close = status.close;
  server = await startHttpServer({
    listen: '127.0.0.1:0',
    whyNotReady: () => undefined,
    routes: status.routes,
    onError: (_path, error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  close();
  await server.close();
});

const get = (path: string, init?: RequestInit) => fetch(`http://${server.address}${path}`, init);

/** A GET of a path exactly as written: fetch would resolve its dots. */
const statusOfRaw = (path: string) =>
  new Promise<number | undefined>((resolve, reject) => {
    const [host, port] = server.address.split(':');
    request({ host, port, path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });

describe('the page', () => {
  test('everything that it loads is served from here, and nothing else may be loaded', async () => {
    const page = await get('/');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'self'; /);
    const html = await page.text();
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link);
    expect(links).toEqual(expect.arrayContaining(['page.css', 'page.js', 'icon.svg']));
    const seen = new Set(links);
    for (const link of seen) {
      const file = await get(`/${link}`);
      expect(file.status, link).toBe(200);
      for (const [, imported] of (await file.text()).matchAll(/^import .* from '\.\/(.*)';$/gm)) seen.add(imported);
    }
    expect(seen.size).toBeGreaterThan(8);
    expect((await get('/index.html')).status).toBe(404);
    expect((await get('/tsconfig.json')).status).toBe(404);
  });

  test('a browser that has a file gets a 304', async () => {
    const first = await get('/page.js');
    const etag = first.headers.get('etag') as string;
    expect(first.headers.get('cache-control')).toBe('no-cache');
    expect((await first.text()).length).toBe(Number(first.headers.get('content-length')));
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await get('/page.js', { headers: { 'if-none-match': known } });
      expect([again.status, await again.text()]).toEqual([304, '']);
    }
    expect((await get('/page.js', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });

  test('HEAD has no body, and other methods are refused', async () => {
    for (const path of ['/', '/status.json', '/events', `/${picture}`]) {
      const head = await get(path, { method: 'HEAD' });
      expect([head.status, await head.text()], path).toEqual([200, '']);
      expect((await get(path, { method: 'POST' })).status).toBe(405);
    }
  });
});

test('pictures: the listed ones, and no other path', async () => {
  const found = await get(`/${picture}`);
  expect(found.headers.get('content-type')).toBe('image/webp');
  expect(await found.text()).toBe('a picture');
  const etag = found.headers.get('etag') as string;
  expect((await get(`/${picture}`, { headers: { 'if-none-match': etag } })).status).toBe(304);
  for (const path of [
    '/validation/',
    '/validation/b.png/00000002.webp',
    '/validation/../terms/00000001.json',
    '/validation/%2e%2e/%2e%2e/terms/00000001.json',
    '/validation//etc/passwd',
    '/validation/..%2f..%2fetc%2fpasswd',
  ]) {
    expect(await statusOfRaw(path), path).toBe(404);
  }
});

test('status.json is the whole current state', async () => {
  const response = await get('/status.json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const status = (await response.json()) as StatusSnapshot;
  expect(status).toMatchObject({ run: { name: 'routes' }, now: { iteration: 0, iterations: 5 }, pictures: [] });
});

/** The events of `/events`, as they come. */
async function* eventsOf(response: Response): AsyncGenerator<{ name: string; data: unknown }> {
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) as RegExpExecArray;
      yield { name, data: JSON.parse(data) };
    }
  }
}

test('events: first everything, then what is new, nothing twice, and finally the end', async () => {
  history.rows.push({ iteration: 1, phase: 0, learningRate: 1e-4, losses: { content: 0.5 } });
  const first = eventsOf(await get('/events'));
  expect((await first.next()).value).toMatchObject({
    name: 'snapshot',
    data: { history: { rows: [{ iteration: 1 }] } },
  });

  history.rows.push({ iteration: 2, phase: 0, learningRate: 1e-4, losses: { content: NaN } });
  history.evaluations.push(toEvaluation(2, [{ picture: 'secret-name.png', psnr: 24, ssim: 0.5 }]));
  // A watcher that joins now has the second row already; the first watcher gets it at the same time.
  const second = eventsOf(await get('/events'));
  expect((await second.next()).value).toMatchObject({ name: 'snapshot', data: { history: { rows: [{}, {}] } } });
  const change = (await first.next()).value as { name: string; data: StatusChange };
  expect(change).toMatchObject({
    name: 'change',
    data: { now: { iteration: 2 }, rows: [{ iteration: 2, losses: { content: null } }] },
  });
  expect(change.data.evaluations).toEqual([{ iteration: 2, psnr: 24, ssim: 0.5 }]);

  history.rows.push({ iteration: 3, phase: 0, learningRate: 1e-4, losses: { content: 0.25 } });
  for (const events of [first, second]) {
    const { data } = (await events.next()).value as { data: StatusChange };
    expect(data.rows.map(({ iteration }) => iteration)).toEqual([3]);
  }

  state = 'finished';
  close();
  for (const events of [first, second]) {
    expect((await events.next()).value).toMatchObject({ data: { now: { state: 'finished' } } });
    expect(await events.next()).toMatchObject({ done: true });
  }
});
