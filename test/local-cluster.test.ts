import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { clusterConfig } from './support/cluster-config.js';
import { processesOf } from './support/left-behind.js';
import { freezeAt } from './support/freeze/freeze.js';
import { query } from './support/metrics.js';
import { cliPath, expectFinished, killAll, photographs, startFourfold, type Process } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * `fourfold cluster`: a whole cluster on this machine. Killed processes are replaced, and at the end nothing is left.
 */

const servers = ['nats-server', 'minio', 'prometheus'] as const;

/** An object of `--json`. */
interface Said {
  event: string;
  name: string;
  pid: number;
  processes: { name: string; pid: number }[];
  [fact: string]: unknown;
}

const saidBy = (cluster: Process): Said[] =>
  cluster
    .output()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Said);

/** Wait for an object of `--json`. */
async function said(cluster: Process, condition: (said: Said) => boolean): Promise<Said> {
  const find = () => saidBy(cluster).find(condition);
  const ended = cluster.exit.then(() => 'ended');
  for (;;) {
    const found = find();
    if (found) return found;
    const next = new Promise((resolve) => setTimeout(resolve, 50));
    if ((await Promise.race([ended, next])) === 'ended' && !find()) throw new Error(cluster.errors.join('\n'));
  }
}

test('a missing server program is named on one line, with the command that installs it', async () => {
  const nowhere = { PATH: '', XDG_CACHE_HOME: '/nowhere' };
  const cluster = startFourfold(['cluster'], [], nowhere);
  expect(await cluster.exit).toEqual({ code: 2, signal: null });
  expect(cluster.errors).toEqual([
    'fourfold: nats-server is neither on the PATH nor in /nowhere/fourfold/bin; npx fourfold setup servers installs it',
  ]);
});

describe.skipIf(lacks('servers', servers.every(findProgram)))(
  'a cluster on this machine (after npm run setup:servers)',
  () => {
    let folder: string;
    /** Where the cluster creates its temporary folders. */
    let temporary: string;
    let args: string[];
    const start = (...more: string[]) => startFourfold(['cluster', ...args, ...more], [], { TMPDIR: temporary });

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fourfold-local-cluster-'));
      temporary = join(folder, 'tmp');
      await mkdir(temporary);
      const configPath = join(folder, 'small.yaml');
      const phases = [
        { kind: 'mse', iterations: 30, learningRate: 1e-3 },
        { kind: 'gan', iterations: 20, learningRate: 1e-4 },
      ];
      await writeFile(configPath, `name: small\ndataset: elsewhere\n${clusterConfig(phases)}`);
      args = ['--json', '--config', configPath, '--images', join(photographs, 'train')];
    });
    afterEach(killAll);
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const nothingIsLeft = () => {
      expect(processesOf(temporary)).toEqual([]);
      expect(readdirSync(temporary)).toEqual([]);
    };

    test('each killed process is replaced; the run finishes, and its checkpoint is served until Ctrl-C', async () => {
      const middle = { event: 'update', network: 'generator', iteration: 6 };
      const whole = ['cluster', ...args, '--set', 'workers.minimumToStart=3'];
      const cluster = startFourfold(whole, [], { TMPDIR: temporary, ...freezeAt(folder, middle) });
      const standing = await said(cluster, ({ event }) => event === 'standing');
      const names = standing.processes.map(({ name }) => name);
      const parts = ['coordinator', 'worker 1', 'worker 2', 'data-loader 1', 'data-loader 2'];
      expect(names).toEqual([...servers, ...parts]);
      expect((await fetch(String(standing['statusPage']))).status).toBe(200);
      const ups = async () => {
        const up = await query(String(standing['prometheus']), 'up == 1');
        return up.map(({ labels }) => labels['job']).sort();
      };
      const jobs = ['coordinator', 'data-loader', 'data-loader', 'worker', 'worker'];
      await expect.poll(ups).toEqual(jobs);

      const commandLines: string[] = [];
      const kill = async (name: string) => {
        const { pid } = standing.processes.find((process) => process.name === name) as { pid: number };
        commandLines.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
        process.kill(pid, 'SIGKILL');
        const replaced = await said(cluster, (line) => line.event === 'replaced' && line.name === name);
        expect(replaced.pid).not.toBe(pid);
      };
      for (const name of ['worker 1', 'data-loader 2', 'nats-server', 'minio']) await kill(name);

      // The run starts with one more worker, added as the cluster's output says.
      const environment = String(standing['environment']);
      const inShell = (command: string) =>
        promisify(execFile)('sh', ['-c', `. ${environment}; ${process.execPath} ${cliPath} ${command}`]);
      const joined = inShell(`worker --config ${String(standing['config'])}`);
      const log = () => readFileSync(String(standing['log']), 'utf8');
      await expect.poll(log).toMatch(/"event":"update","network":"generator","iteration":6/);

      // The coordinator is frozen there, so that it dies in the middle of the run.
      await kill('coordinator');
      const { checkpoint } = await said(cluster, ({ event }) => event === 'finished');
      await joined;
      const copy = join(folder, 'pulled');
      const { stdout } = await inShell(`checkpoints pull ${String(checkpoint)} ${copy} --json`);
      expect(JSON.parse(stdout)).toMatchObject({ iteration: 50 });
      expect(existsSync(join(copy, 'manifest.json'))).toBe(true);

      const home = dirname(environment);
      const secrets = ['nats-password', 'join-token', 's3-access-key', 's3-secret-key'].map((name) =>
        readFileSync(join(home, name), 'utf8'),
      );
      const seen = [cluster.output(), cluster.errors.join('\n'), log()];
      seen.push(...commandLines, readFileSync(environment, 'utf8'), readFileSync(String(standing['config']), 'utf8'));
      for (const secret of secrets) expect(seen.filter((text) => text.includes(secret))).toEqual([]);

      cluster.child.kill('SIGINT');
      await expectFinished(cluster);
      nothingIsLeft();
    });

    test('Ctrl-C in the middle ends the whole cluster, including frozen processes', async () => {
      const cluster = start('--set', 'phases.0.iterations=100000');
      const { processes } = await said(cluster, ({ event }) => event === 'standing');
      for (const { name, pid } of processes) if (/^(minio|worker 2)$/.test(name)) process.kill(pid, 'SIGSTOP');
      cluster.child.kill('SIGINT');
      expect(await cluster.exit).toEqual({ code: 130, signal: null });
      expect(cluster.errors.at(-1)).toBe('fourfold: stopped by SIGINT');
      nothingIsLeft();
    });

    test('a kept folder holds the run, which the next cluster in it resumes', async () => {
      const kept = join(folder, 'kept');
      const first = start('--keep', kept, '--set', 'phases.0.iterations=100000');
      await said(first, ({ event }) => event === 'standing');
      // Stopping it writes a checkpoint.
      await expect.poll(() => /"event":"update"/.test(readFileSync(join(kept, 'cluster.log'), 'utf8'))).toBe(true);
      first.child.kill('SIGTERM');
      expect(await first.exit).toEqual({ code: 143, signal: null });
      nothingIsLeft();

      const other = startFourfold(['cluster', '--keep', kept, '--images', photographs], [], { TMPDIR: temporary });
      expect(await other.exit).toEqual({ code: 2, signal: null });
      expect(other.errors).toEqual([
        `fourfold: ${kept} already holds a run with its own config and photographs; omit --images to resume it, or name another folder`,
      ]);

      const log = () => readFileSync(join(kept, 'cluster.log'), 'utf8');
      const stoppedAt = Number(/.*"event":"checkpoint",[^}]*"checkpoint":"(\d+)-/s.exec(log())?.[1]);
      const goOn = ['--keep', kept, '--exit', '--set', `phases.0.iterations=${stoppedAt + 10}`];
      const next = startFourfold(['cluster', '--json', ...goOn], [], { TMPDIR: temporary });
      await expectFinished(next);
      expect(
        saidBy(next).map(({ event }) => event),
        next.errors.join('\n'),
      ).toEqual(['standing', 'finished']);
      expect(log()).toContain(`"event":"resumed","checkpoint":"${String(stoppedAt).padStart(8, '0')}-0001"`);
      nothingIsLeft();
      expect(processesOf(kept)).toEqual([]);
    });
  },
);
