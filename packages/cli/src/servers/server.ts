import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FourfoldError } from '@fourfold/common';
import { freePorts } from './free-ports.js';
import { createGuard } from './guard.js';
import { untilStopped } from './until-stopped.js';

/**
 * A real server as a child process. It keeps its ports and its folder, so it can be killed and started again as the same server. It dies
 * with this process, however that ends.
 */
export interface LocalServer {
  /** Holds its configuration, data and log. */
  folder: string;
  /** Its process id while it runs. */
  pid(): number | undefined;
  /** Send SIGKILL, which also ends a frozen server; resolves when it is gone. */
  kill(): Promise<void>;
  /** Send SIGSTOP; resolves when it has stopped: it keeps its ports and answers nothing. */
  freeze(): Promise<void>;
  /** Send SIGCONT. */
  thaw(): void;
  /** Start it again after `kill`, on the same ports with the same data; resolves when it is ready. Throws `unavailable`. */
  start(): Promise<void>;
  /** Kill it permanently; a temporary folder is removed. */
  stop(): Promise<void>;
  /** Its log so far. */
  log(): Promise<string>;
}

export interface ServerDescription {
  program: string;
  /** The folder in which its configuration, data and log are kept; a temporary one by default. */
  folder?: string;
  /** How many ports it needs. */
  portCount: number;
  /** Returns its arguments and environment for these ports and this folder; may write files into the folder. */
  prepare: (ports: number[], folder: string) => Promise<{ args: string[]; env: Record<string, string> }>;
  /** URL that answers 200 once it is ready. */
  readyUrl: (ports: number[]) => string;
  /** How long that may take: a minute unless set. */
  readyMs?: number;
}

const usualReadyMs = 60_000;
const pollMs = 50;
const answerMs = 1_000;
const portAttempts = 3;

/** Start a server on free ports; resolves when it is ready. Throws `unavailable` with the end of its log. */
export async function launchServer(description: ServerDescription): Promise<LocalServer & { ports: number[] }> {
  for (let attempt = 1; ; attempt++) {
    const server = await createServer(description);
    try {
      await server.start();
      return server;
    } catch (error) {
      const portWasTaken = /address already in use/i.test(await server.log());
      await server.stop();
      if (!portWasTaken || attempt === portAttempts) throw error;
    }
  }
}

// eslint-disable-next-line max-lines-per-function -- a server’s life, from top to bottom
async function createServer(description: ServerDescription): Promise<LocalServer & { ports: number[] }> {
  const { program, portCount, prepare, readyUrl, readyMs = usualReadyMs } = description;
  const name = basename(program);
  const folder = description.folder ?? (await mkdtemp(join(tmpdir(), `fourfold-${name}-`)));
  await mkdir(folder, { recursive: true });
  const guard = createGuard(description.folder ? undefined : folder);
  const ports = await freePorts(portCount);
  const { args, env } = await prepare(ports, folder);
  const logPath = join(folder, 'server.log');
  let child: ChildProcess | undefined;

  const log = () => readFile(logPath, 'utf8').catch(() => '');
  const kill = async () => {
    if (!child) return;
    const gone = once(child, 'exit');
    child.ref();
    child.kill('SIGKILL');
    await gone;
  };
  const start = async () => {
    const logFile = await open(logPath, 'a');
    const started = spawn(program, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', logFile.fd, logFile.fd],
      // Ctrl-C in the terminal must not reach the server.
      detached: true,
    });
    child = started;
    guard.watch(started.pid);
    started.unref();
    started.once('exit', () => {
      child = undefined;
      guard.watch(undefined);
    });
    await Promise.all([once(started, 'spawn'), logFile.close()]);
    const deadlineMs = performance.now() + readyMs;
    while (!(await answers(readyUrl(ports)))) {
      if (!child || performance.now() > deadlineMs) {
        const problem = child ? `was not ready after ${readyMs} ms` : 'ended before it was ready';
        await kill();
        const logEnd = (await log()).trim().split('\n').slice(-3).join(' | ');
        throw new FourfoldError('unavailable', `${name} ${problem}: ${logEnd}`);
      }
      await delay(pollMs);
    }
  };
  return {
    folder,
    ports,
    log,
    kill,
    start,
    pid: () => child?.pid,
    async freeze() {
      if (child?.pid === undefined) return;
      child.kill('SIGSTOP');
      await untilStopped(child.pid);
    },
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await kill();
      await guard.close();
    },
  };
}

/** Whether a URL answers 200. The certificate is not checked: the server is our own child. */
const answers = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const options = { timeout: answerMs, agent: false };
    const onResponse = (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode === 200);
    };
    const request = url.startsWith('https:')
      ? https.get(url, { ...options, rejectUnauthorized: false }, onResponse)
      : http.get(url, options, onResponse);
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(false));
  });
