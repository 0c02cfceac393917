import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, freePorts } from '@fourfold/local-servers';
import { processesOf } from './support/left-behind.js';
import { lacks } from './support/needs.mjs';

/*
 * docs/cluster.md: its blocks, pasted one after the other into a bash, do what the page says.
 */

const repository = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(join(repository, 'docs/cluster.md'), 'utf8');
const blocks = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);

/** The first of `count` consecutive ports, all free a moment ago. */
async function portsInARow(count: number): Promise<number> {
  for (;;) {
    const [first] = await freePorts(1);
    if (first + count > 65_535) continue;
    const row = Array.from({ length: count }, (_, i) => first + i);
    const servers = row.map((port) => createServer().listen(port, '0.0.0.0'));
    const bound = await Promise.allSettled(servers.map((server) => once(server, 'listening')));
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    if (bound.every(({ status }) => status === 'fulfilled')) return first;
  }
}

const programs = ['nats-server', 'minio', 'prometheus'] as const;

describe.skipIf(lacks('servers', programs.every(findProgram)))(
  'the page on a cluster by hand (after npm run setup:servers)',
  () => {
    let folder: string;
    let shell: number | undefined;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fourfold-page-'));
      for (const name of ['node_modules', 'examples']) await symlink(join(repository, name), join(folder, name));
    });
    afterAll(async () => {
      // Processes that a failed block has left running.
      if (shell) killGroup(shell);
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    });

    test('its blocks run a whole run, with kills, and leave a checkpoint and no process', async () => {
      const first = await portsInARow(120);
      const names = ['NATS', 'MINIO', 'COORDINATOR', 'STATUS', 'PROMETHEUS', 'LOADER', 'LOADER_2', 'WORKER'];
      const ports = Object.fromEntries(names.map((name, i) => [`${name}_PORT`, String(first + i)]));
      // Only the length of the run differs from the page.
      const short = blocks
        .join('\n')
        .replace('iterations: 300,', 'iterations: 12,')
        .replace('iterations: 50,', 'iterations: 4,');
      const bash = spawn('bash', ['-euo', 'pipefail', '-c', short], {
        cwd: folder,
        env: { ...process.env, ...ports },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      shell = bash.pid;
      let said = '';
      for (const stream of [bash.stdout, bash.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [code] = (await once(bash, 'exit')) as [number | null];
      const logs = async () => {
        const all = (await readdir(join(folder, 'out/cluster'))).filter((name) => name.endsWith('.log'));
        const tails = all.map(async (name) => {
          const text = await readFile(join(folder, 'out/cluster', name), 'utf8');
          return `${name}: ${text.trimEnd().split('\n').slice(-2).join('\n')}`;
        });
        return (await Promise.all(tails)).join('\n');
      };
      expect(code, `${said}\n${await logs()}`).toBe(0);

      const json = async (path: string) =>
        JSON.parse(await readFile(join(folder, 'out/cluster', path), 'utf8')) as object;
      expect(await json('pulled/manifest.json')).toMatchObject({ iteration: 16, finished: true });
      expect(await json('plain/manifest.json')).toEqual(await json('pulled/manifest.json'));
      expect(await json('status.json')).toMatchObject({ run: { name: 'by-hand' } });
      const coordinators = await readFile(join(folder, 'out/cluster/coordinator.log'), 'utf8');
      expect(coordinators.match(/"event":"listening"/g)).toHaveLength(2);
      expect(coordinators).toContain('"event":"worker-joined"');
      expect(processesOf(folder)).toEqual([]);
    });
  },
);

test('the programs give every refusal that it explains', () => {
  const table = page.slice(page.indexOf('## What a refusal means'));
  const refusals = [...table.matchAll(/^\| `(.*?)` \|/gm)].map(([, text]) => text);
  expect(refusals.length).toBeGreaterThan(15);
  const sources = readdirSync(join(repository, 'packages'))
    .flatMap((name) => {
      const folder = join(repository, 'packages', name, 'src');
      return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path));
    })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(path, 'utf8').replaceAll(/\$\{[^}]*\}/g, ''))
    .join('\n');
  expect(refusals.filter((text) => !text.split('…').every((part) => sources.includes(part)))).toEqual([]);
});

/** Kill a process and its children. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // None is left.
  }
}
