import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { findProgram, requireProgram } from './find-program.js';
import { startMinio } from './minio.js';
import { startNats } from './nats.js';
import { startPrometheus } from './prometheus.js';
import type { LocalServer } from './server.js';
import { lacks } from '../../../../test/support/needs.mjs';

const started: LocalServer[] = [];
const keep = <T extends LocalServer>(server: T): T => {
  started.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

/** The first bytes from a TCP port within a second. */
const greeting = (address: string): Promise<string> =>
  new Promise((resolve) => {
    const [host, port] = address.split(':');
    const socket = connect({ host, port: Number(port), timeout: 1_000 });
    const done = (text: string) => {
      socket.destroy();
      resolve(text);
    };
    socket.once('data', (data) => done(data.toString()));
    socket.once('timeout', () => done('silence'));
    socket.once('error', (error) => done(error.message));
  });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a missing program is reported, with how to install it', () => {
  const { PATH, XDG_CACHE_HOME } = process.env;
  Object.assign(process.env, { PATH: '', XDG_CACHE_HOME: '/nowhere' });
  try {
    expect(findProgram('minio')).toBeUndefined();
    expect(() => requireProgram('minio')).toThrow('minio is neither on the PATH nor in /nowhere/fourfold/bin');
  } finally {
    process.env['PATH'] = PATH;
    if (XDG_CACHE_HOME === undefined) delete process.env['XDG_CACHE_HOME'];
    else process.env['XDG_CACHE_HOME'] = XDG_CACHE_HOME;
  }
});

describe.skipIf(lacks('servers', !!findProgram('nats-server')))('nats-server (after npm run setup:servers)', () => {
  test('it can be killed and started again on the same port, frozen and thawed', async () => {
    const nats = keep(await startNats());
    expect(await greeting(nats.address)).toMatch(/^INFO /);
    const first = nats.pid() as number;
    await nats.kill();
    expect(isAlive(first)).toBe(false);
    expect(await greeting(nats.address)).toContain('ECONNREFUSED');
    await nats.start();
    expect(nats.pid()).not.toBe(first);
    expect(await greeting(nats.address)).toMatch(/^INFO /);
    await nats.freeze();
    expect(await greeting(nats.address)).toBe('silence');
    nats.thaw();
    expect(await greeting(nats.address)).toMatch(/^INFO /);
  });

  test('an invalid configuration is an error with the server’s message', async () => {
    await expect(startNats('max_payload: nonsense {')).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^nats-server ended before it was ready: .*Parse error on line 3/) as string,
    });
  });

  test('a killed process leaves neither its server, even a frozen one, nor its folder', async () => {
    const script = `
      const { startNats } = await import(${JSON.stringify(new URL('../../dist/servers/index.js', import.meta.url).href)});
      const nats = await startNats();
      await nats.freeze();
      console.log(JSON.stringify({ pid: nats.pid(), folder: nats.folder }));
      setInterval(() => undefined, 1000);
    `;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const { pid, folder } = JSON.parse(line.toString()) as { pid: number; folder: string };
    expect([isAlive(pid), existsSync(folder)]).toEqual([true, true]);
    owner.kill('SIGKILL');
    await expect.poll(() => [isAlive(pid), existsSync(folder)]).toEqual([false, false]);
  });
});

describe.skipIf(lacks('servers', !!findProgram('minio')))('MinIO (after npm run setup:servers)', () => {
  test('it is healthy, also after a kill and a start', async () => {
    const minio = keep(await startMinio());
    const health = async () => (await fetch(`${minio.endpoint}/minio/health/live`)).status;
    expect(await health()).toBe(200);
    await minio.kill();
    await expect(health()).rejects.toThrow();
    await minio.start();
    expect(await health()).toBe(200);
  });
});

describe.skipIf(lacks('servers', !!findProgram('prometheus')))('Prometheus (after npm run setup:servers)', () => {
  test('it scrapes what its configuration names', async () => {
    const other = keep(await startPrometheus('scrape_configs: []\n'));
    const configuration = `
global: { scrape_interval: 100ms }
scrape_configs:
  - { job_name: other, static_configs: [{ targets: ['${new URL(other.url).host}'] }] }
`;
    const prometheus = keep(await startPrometheus(configuration));
    const up = async () => {
      const response = await fetch(`${prometheus.url}/api/v1/query?query=up`);
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
      return data.result.map(({ value }) => value[1]);
    };
    await expect.poll(up).toEqual(['1']);
  });
});
