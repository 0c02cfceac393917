import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newestTermNumber, openStore, runStore } from '@fourfold/store';
import { parseRunConfig } from '@fourfold/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCoordinator } from './coordinator.js';

/*
 * A coordinator that cannot start claims no term: the claim would end a running coordinator.
 */

let folder: string;
beforeEach(async () => {
  vi.stubEnv('FOURFOLD_LOG', 'silent');
  folder = await mkdtemp(join(tmpdir(), 'fourfold-coordinator-'));
  await openStore(join(folder, 'dataset')).put('manifest.json', Buffer.from('{}'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const configWith = (exchange: object) =>
  parseRunConfig(
    {
      name: 'small',
      dataset: join(folder, 'dataset'),
      store: join(folder, 'store'),
      generator: { channels: 2, blocks: 1 },
      loss: { content: 'mse' },
      phases: [{ kind: 'mse', iterations: 9, learningRate: 1e-3 }],
      exchange,
    },
    'a test',
  );

async function withTakenPort(act: (address: string) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await act(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

const free = '127.0.0.1:0';
const { signal } = new AbortController();

test.each(['listen', 'http'] as const)('a coordinator whose port for %s is taken claims nothing', async (which) => {
  const config = configWith({});
  await withTakenPort(async (taken) => {
    const options = { config, listen: free, http: free, [which]: taken, resume: true, signal };
    await expect(runCoordinator(options)).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot listen on ${taken}`,
    });
  });
  expect(await newestTermNumber(runStore(config))).toBe(0);
});

test('a coordinator that must share memory and cannot claims nothing', async () => {
  const config = configWith({ transport: 'shared-memory', folder: join(folder, 'missing') });
  await expect(runCoordinator({ config, listen: free, http: free, resume: true, signal })).rejects.toThrow();
  expect(await newestTermNumber(runStore(config))).toBe(0);
});
