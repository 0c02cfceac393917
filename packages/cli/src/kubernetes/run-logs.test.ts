import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { afterEach, expect, test, vi } from 'vitest';
import { KubeConfig } from './client.js';
import type { ClusterApi } from './cluster-api.js';
import { labels } from './labels.js';
import { createOpenPodLog } from './pod-log.js';
import { readLogs } from './run-logs.js';

/* `logs --follow` when connections break and pods go. The other end is an HTTP server that answers like the API server. */

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const ofRole = { [labels.run]: 'one', [labels.role]: 'coordinator' };
const jobWith = (condition?: string): V1Job => ({
  metadata: { labels: ofRole },
  status: condition ? { conditions: [{ type: condition, status: 'True' }] } : {},
});
const podWith = (name: string, state: 'running' | 'terminated'): V1Pod => ({
  metadata: { name, uid: name, namespace: 'team', labels: ofRole },
  spec: { containers: [{ name: 'coordinator' }] },
  status: {
    containerStatuses: [
      { name: 'coordinator', image: '', imageID: '', ready: true, restartCount: 0, state: { [state]: {} } },
    ],
  },
});

/** A cluster whose logs `answer` serves. Follows until `world` says that the run is over. */
async function follow(
  world: { jobs: V1Job[]; pods: V1Pod[] },
  answer: (pod: string, query: URLSearchParams, response: ServerResponse) => void,
) {
  const server = createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    answer(pathname.split('/').at(-2) as string, searchParams, response);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const kubeConfig = new KubeConfig();
  const { port } = server.address() as AddressInfo;
  kubeConfig.loadFromClusterAndUser(
    { name: 'local', server: `http://127.0.0.1:${port}`, skipTLSVerify: true },
    { name: 'ada' },
  );
  const openLog = createOpenPodLog(kubeConfig);
  const api = {
    namespace: 'team',
    objects: () => Promise.resolve({ ...world, events: [] }),
    // As cluster-api.ts says it.
    openLog: (...args: Parameters<typeof openLog>) =>
      openLog(...args).catch((error: { code: number }) => {
        throw new FourfoldError(error.code === 404 ? 'not-found' : 'invalid', `answered with ${error.code}`);
      }),
  } as unknown as ClusterApi;
  const lines: string[] = [];
  const options = { role: 'coordinator', follow: true, signal: new AbortController().signal } as const;
  const done = readLogs(api, 'one', { ...options, onLine: (line, pod) => lines.push(`${pod} ${line}`) });
  return { lines, done };
}

const at = (second: string, text: string) => `2026-01-01T00:00:${second}00000000Z ${text}\n`;

test('a stream that is cut is opened again, and each line comes once', async () => {
  const world = { jobs: [jobWith()], pods: [podWith('a', 'running')] };
  const asked: (string | null)[] = [];
  const { lines, done } = await follow(world, (_, query, response) => {
    asked.push(query.get('sinceTime'));
    response.write(at('01.0', 'first'));
    if (asked.length === 1) {
      // In the middle of a line.
      response.write(at('01.5', 'second').slice(0, -4), () => response.destroy());
      return;
    }
    response.write(at('01.5', 'second'));
    if (asked.length === 2) {
      // As a restarted kubelet ends it, while the pod runs on.
      response.end(at('02.0', 'third'));
      return;
    }
    Object.assign(world, { jobs: [jobWith('Complete')], pods: [podWith('a', 'terminated')] });
    response.end(at('02.0', 'third') + at('03.0', 'last').trimEnd());
  });
  await done;
  expect(lines).toEqual(['a first', 'a second', 'a third', 'a last']);
  expect(asked.slice(0, 3)).toEqual([null, '2026-01-01T00:00:01.000000000Z', '2026-01-01T00:00:02.000000000Z']);
});

test('a pod that goes before its log is opened is skipped, and the next one is read', async () => {
  const world = { jobs: [jobWith()], pods: [podWith('gone', 'running')] };
  const { lines, done } = await follow(world, (pod, _, response) => {
    if (pod === 'gone') {
      Object.assign(world, { jobs: [jobWith('Complete')], pods: [podWith('next', 'terminated')] });
      response.writeHead(404).end();
    } else response.end(at('01.0', 'first'));
  });
  await done;
  expect(lines).toEqual(['next first']);
});

test('a stream that hangs after its pod has ended is read to the end by another one', async () => {
  const world = { jobs: [jobWith()], pods: [podWith('a', 'running')] };
  const { lines, done } = await follow(world, (_, query, response) => {
    response.write(at('01.0', 'first'));
    if (query.get('follow') === 'true') {
      Object.assign(world, { jobs: [jobWith('Complete')], pods: [podWith('a', 'terminated')] });
    } else response.end(at('02.0', 'last'));
  });
  await done;
  expect(lines).toEqual(['a first', 'a last']);
});

test('a user who may not read logs gets the reason', async () => {
  const world = { jobs: [jobWith()], pods: [podWith('a', 'running')] };
  const { done } = await follow(world, (_, __, response) => response.writeHead(403).end());
  await expect(done).rejects.toThrow('answered with 403');
});

test('open streams are closed when the reading ends', async () => {
  const world = { jobs: [jobWith()], pods: [podWith('a', 'running'), podWith('b', 'running')] };
  const closed = vi.fn();
  let begin = () => undefined as void;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const { done } = await follow(world, (pod, _, response) => {
    if (pod === 'b') return void begun.then(() => response.writeHead(403).end());
    response.write(at('01.0', 'first'));
    response.once('close', closed);
    begin();
  });
  await expect(done).rejects.toThrow('answered with 403');
  await expect.poll(() => closed.mock.calls).toHaveLength(1);
});
