import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram, startNats, type LocalNats } from '@fourfold/local-servers';
import { parse } from 'yaml';
import { expectSameBatch, prepareBatchBed, type BatchBed } from './support/batch-services.js';
import { createAuthority, writeIdentity } from './support/certificates.js';
import { killAll, startFourfold } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * Whom NATS lets in, and what a refused process says.
 */

const password = 'correct-horse-battery';
const user = { FOURFOLD_NATS_USER: 'ada', FOURFOLD_NATS_PASSWORD: password };
const authorization = `authorization { users: [
  { user: ada, password: "${password}" }
  { user: guest, password: "${password}", permissions: { publish: "other.>", subscribe: "_INBOX.>" } }
] }`;

describe.skipIf(lacks('servers', !!findProgram('nats-server')))(
  'who may use NATS (after npm run setup:servers)',
  () => {
    let bed: BatchBed;
    let folder: string;
    let nats: LocalNats | undefined;
    const before = { ...process.env };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fourfold-access-'));
      bed = await prepareBatchBed();
    });
    afterEach(async () => {
      await killAll();
      await nats?.stop();
      nats = undefined;
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    });
    afterAll(async () => {
      await bed.remove();
      await rm(folder, { recursive: true });
    });

    async function start(configuration: string, scheme = 'nats'): Promise<Record<string, string>> {
      nats = await startNats(configuration);
      return { FOURFOLD_NATS_URL: `${scheme}://${nats.address}` };
    }
    /** A data-loader and a worker's side of the wire get a batch across. */
    async function expectBatch(environment: Record<string, string>) {
      Object.assign(process.env, environment);
      const loader = await bed.startLoader();
      const { source, events } = await bed.connectClient(environment);
      try {
        expectSameBatch(await source.batch(3, 1), await bed.local.batch(3, 1));
      } finally {
        await source.close();
      }
      expect(JSON.stringify([loader.events, loader.errors, events, loader.child.spawnargs])).not.toContain(password);
    }
    /** Both give the same reason, and the process that ends prints it on one line. */
    async function expectRefusal(environment: Record<string, string>, reason: RegExp, code = 'refused') {
      Object.assign(process.env, environment);
      await expect(bed.connectClient(environment)).rejects.toMatchObject({ code });
      const loader = startFourfold(['data-loader', '--config', bed.configPath]);
      expect(await loader.exit).toEqual({ code: 1, signal: null });
      expect(loader.errors).toEqual([expect.stringMatching(reason)]);
      expect(JSON.stringify([loader.errors, loader.events])).not.toContain(password);
    }

    test('with its password', async () => {
      await expectBatch({ ...(await start(authorization)), ...user });
    });

    test('with its password, where compose.yaml’s NATS would take it for a number', async () => {
      const own = { FOURFOLD_NATS_USER: 'fourfold', FOURFOLD_NATS_PASSWORD: '12e5ab0c34e1f05a7700d2b9c6e8a1f3' };
      const docker = new URL('../deploy/docker/', import.meta.url);
      const { services } = parse(await readFile(new URL('compose.yaml', docker), 'utf8')) as {
        services: { nats: { environment: Record<string, string> } };
      };
      const given = services.nats.environment['FOURFOLD_NATS_PASSWORD'];
      process.env['FOURFOLD_NATS_PASSWORD'] = given.replace(/\$\{.*\}/, own.FOURFOLD_NATS_PASSWORD);
      const configuration = await readFile(new URL('nats.conf', docker), 'utf8');
      await expectBatch({ ...(await start(configuration.replace(/^listen.*/m, ''))), ...own });
    });

    test.each<[string, Record<string, string>]>([
      ['a wrong password', { ...user, FOURFOLD_NATS_PASSWORD: `${password}!` }],
      ['no credentials', {}],
    ])('%s', async (_, credentials) => {
      const environment = await start(authorization);
      await expectRefusal(
        { ...environment, ...credentials },
        /^fourfold: NATS refuses this user: .*Authorization Violation.*check FOURFOLD_NATS_USER and FOURFOLD_NATS_PASSWORD$/,
      );
    });

    test('a user without the rights that batches need', async () => {
      const environment = { ...(await start(authorization)), ...user, FOURFOLD_NATS_USER: 'guest' };
      Object.assign(process.env, environment);
      const loader = startFourfold(['data-loader', '--config', bed.configPath]);
      expect(await loader.exit).toEqual({ code: 1, signal: null });
      expect(loader.errors).toEqual([
        expect.stringMatching(/NATS denies this user (publish|subscri)\S* permission for fourfold\.batches/),
      ]);
      const { source } = await bed.connectClient(environment);
      await expect(source.batch(0, 0)).rejects.toMatchObject({ code: 'refused' });
      await source.close();
    });

    test('parts wait for NATS that is not up yet, and say so; when patience ends, that is an error', async () => {
      const environment = await start('');
      await nats?.kill();
      Object.assign(process.env, environment);
      const loader = startFourfold(['data-loader', '--config', bed.configPath]);
      const waiting = await loader.waitFor(({ event }) => event === 'nats-waiting', 'what it waits for');
      expect(waiting).toMatchObject({ servers: [nats?.address], reason: expect.stringContaining('refused') as string });
      await nats?.start();
      await loader.waitFor(({ event }) => event === 'started', 'the data-loader');
      await nats?.kill();
      const impatient = startFourfold(['data-loader', '--config', bed.configPath, '--set', 'timing.patienceMs=500']);
      expect(await impatient.exit).toEqual({ code: 1, signal: null });
      expect(impatient.errors).toEqual([expect.stringMatching(/^fourfold: NATS was not reached at .* for \d+ ms/)]);
    });

    test('SIGTERM ends the wait for NATS', async () => {
      const environment = await start('');
      await nats?.kill();
      Object.assign(process.env, environment);
      const loader = startFourfold(['data-loader', '--config', bed.configPath]);
      await loader.waitFor(({ event }) => event === 'nats-waiting', 'what it waits for');
      loader.child.kill('SIGTERM');
      expect(await loader.exit).toEqual({ code: 143, signal: null });
    });

    describe('over TLS', () => {
      let ours: Record<string, string>;
      let theirs: Record<string, string>;
      let configuration: string;

      beforeAll(async () => {
        const authority = await createAuthority('authority');
        const stranger = await createAuthority('stranger');
        const server = await writeIdentity(folder, authority, 'nats');
        ours = await writeIdentity(folder, authority, 'worker');
        theirs = await writeIdentity(folder, stranger, 'foreign-worker');
        configuration = `${authorization}
tls { cert_file: "${server.FOURFOLD_TLS_CERTIFICATE}", key_file: "${server.FOURFOLD_TLS_KEY}", ca_file: "${server.FOURFOLD_TLS_CA}", verify: true }`;
      });

      test('with its certificate', async () => {
        await expectBatch({ ...(await start(configuration, 'tls')), ...user, ...ours });
      });

      test('a server of another authority', async () => {
        const environment = { ...(await start(configuration, 'tls')), ...user, ...theirs };
        await expectRefusal(environment, /do not trust each other: .*check FOURFOLD_TLS_CA/);
      });

      test('a certificate of another authority', async () => {
        const { FOURFOLD_TLS_CA } = ours;
        const environment = { ...(await start(configuration, 'tls')), ...user, ...theirs, FOURFOLD_TLS_CA };
        await expectRefusal(environment, /do not trust each other: .*check FOURFOLD_TLS_CA/);
      });

      test('tls:// to a server without TLS, nats:// to one that demands it', async () => {
        await expectRefusal(
          { ...(await start(authorization, 'tls')), ...user, ...ours },
          /does not speak TLS: .*FOURFOLD_NATS_URL/,
          'invalid',
        );
        await nats?.stop();
        await expectRefusal(
          { ...(await start(configuration)), ...user },
          /check nats:\/\/ or tls:\/\/ in FOURFOLD_NATS_URL$/,
        );
      });
    });
  },
);
