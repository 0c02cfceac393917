import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { endWith, startHttpServer, type HttpRoute } from '@fourfold/common';
import { openStore } from '@fourfold/store';
import { z } from '@fourfold/common/zod';
import { appendRating, pixelRatioSchema, raterPattern, readRatings } from './ratings.js';
import { pictureKey, readStudy, type Study } from './study.js';
import { trialsOf } from './trial-order.js';

/** The page's files, at the same relative path from src and dist. */
const pageFolder = new URL('../../src/mos/page/', import.meta.url);
const pageFiles = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
} as const;

/** Nothing from elsewhere, nothing inline, no frames around it. */
const headers = {
  'content-security-policy': "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};
const mostBodyBytes = 1_000;

const answerSchema = z.strictObject({
  rater: z.string().regex(raterPattern),
  position: z.int().min(0),
  score: z.int().min(1).max(5),
  pixelRatio: pixelRatioSchema,
});

/** A rater's position; `next` is the picture after this one, to preload. */
interface Progress {
  done: number;
  total: number;
  trial?: { position: number; picture: string; expected?: 1 | 5 };
  next?: string;
}

/**
 * Serve the rating page of the study in a folder. A rating is stored before it is answered; a rater who comes back continues
 * after the last stored one. Throws `not-found` or `corrupt` for a folder without a study, `unavailable` if the port is taken.
 */
export async function serveStudy(folder: string, listen: string, onError: (path: string, error: unknown) => void) {
  const store = openStore(folder);
  const study = await readStudy(store);
  const ids = new Set([...study.versions, ...study.calibration].map(({ id }) => id));
  const oneByOne = createQueues();
  const files = await Promise.all(
    Object.entries(pageFiles).map(async ([path, [name, type]]): Promise<[string, HttpRoute]> => {
      const body = await readFile(new URL(name, pageFolder));
      return [path, (_, response) => void response.writeHead(200, { ...headers, 'content-type': type }).end(body)];
    }),
  );
  const answerJson = (response: Parameters<HttpRoute>[1], value: object) =>
    response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(value));

  return startHttpServer({
    listen,
    whyNotReady: () => undefined,
    onError,
    routes: {
      ...Object.fromEntries(files),
      '/favicon.ico': (_, response) => void response.writeHead(204).end(),
      '/study': (_, response) => void answerJson(response, { hasCalibration: study.calibration.length > 0 }),
      async '/trial'(request, response) {
        const rater = new URL(request.url ?? '/', 'http://localhost').searchParams.get('rater') ?? '';
        if (!raterPattern.test(rater)) return endWith(response, 400, 'a name has 1 to 40 characters: a-z, 0-9 and -');
        answerJson(response, progressOf(study, rater, (await readRatings(folder, rater)).length));
      },
      async '/pictures/'(request, response) {
        const id = /^\/pictures\/([0-9a-f]+)\.png$/.exec(request.url ?? '')?.[1] ?? '';
        if (!ids.has(id)) return endWith(response, 404, 'not found');
        const body = await store.get(pictureKey(id));
        response.writeHead(200, { ...headers, 'cache-control': 'max-age=3600', 'content-type': 'image/png' }).end(body);
      },
    },
    posts: {
      async '/rating'(request, response) {
        const answer = answerSchema.safeParse(await readJson(request)).data;
        if (!answer) return endWith(response, 400, 'that is not a rating');
        const { rater, position, ...given } = answer;
        const progress = await oneByOne(rater, async () => {
          const done = (await readRatings(folder, rater)).length;
          const trial = trialsOf(study, rater).at(position);
          // A repeated rating was answered, but the answer was lost.
          if (!trial || position !== done) return progressOf(study, rater, done);
          await appendRating(folder, rater, trial, given);
          return progressOf(study, rater, done + 1);
        });
        answerJson(response, progress);
      },
    },
  });
}

function progressOf(study: Study, rater: string, done: number): Progress {
  const trials = trialsOf(study, rater);
  const [trial, next] = trials.slice(done);
  const picture = (version: string) => `/${pictureKey(version)}`;
  return {
    done,
    total: trials.length,
    ...(trial && { trial: { position: done, picture: picture(trial.version), expected: trial.expected } }),
    ...(next && { next: picture(next.version) }),
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A browser asks before it sends this type from another page.
  if (request.headers['content-type'] !== 'application/json') return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > mostBodyBytes) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Run the tasks of one key one after another. */
function createQueues() {
  const last = new Map<string, Promise<unknown>>();
  return <T>(key: string, act: () => Promise<T>): Promise<T> => {
    const result = (last.get(key) ?? Promise.resolve()).then(act, act);
    last.set(key, result);
    return result;
  };
}
