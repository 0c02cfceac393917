import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fourfold, inFolder } from '../test-support.js';

test('certificates are made once, and their folder is printed', async () => {
  await inFolder(async (folder) => {
    const first = await fourfold(folder, 'certificates', '--out', 'tls', '--days', '7', '--host', 'nats.example');
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    const file = (name: string) => join(folder, 'tls', name).replaceAll('.', '\\.');
    expect(first.stdout).toMatch(new RegExp(`^ca +made +${file('ca.crt')} +${file('ca.key')}\n`));
    expect(first.stdout).toMatch(new RegExp(`\nworker +made +${file('worker.crt')} +${file('worker.key')}\n`));
    const nats = new X509Certificate(await readFile(join(folder, 'tls', 'nats.crt')));
    expect(nats.subjectAltName).toBe('DNS:nats.example');
    const again = await fourfold(folder, 'certificates', '--out', 'tls', '--json');
    const report = JSON.parse(again.stdout) as { authority: object; certificates: object; made: string[] };
    expect(report.authority).toEqual({
      certificate: join(folder, 'tls', 'ca.crt'),
      key: join(folder, 'tls', 'ca.key'),
    });
    expect(Object.keys(report.certificates)).toContain('minio');
    expect(report.made).toEqual([]);
  });
});

test('--renew makes certificates and keys anew, from the same authority and for the same hosts', async () => {
  await inFolder(async (folder) => {
    const read = async (name: string) => readFile(join(folder, 'tls', name), 'utf8');
    await fourfold(folder, 'certificates', '--out', 'tls', '--host', 'nats.example', '--host', '10.0.0.1');
    const before = { authority: await read('ca.crt'), worker: await read('worker.crt'), key: await read('worker.key') };
    const { stdout } = await fourfold(folder, 'certificates', '--out', 'tls', '--renew');
    expect(stdout).toMatch(/^ca +kept .*\n(\S+ +made .*\n)+$/);
    expect(await read('ca.crt')).toBe(before.authority);
    expect(await read('worker.crt')).not.toBe(before.worker);
    expect(await read('worker.key')).not.toBe(before.key);
    const nats = new X509Certificate(await read('nats.crt'));
    expect(nats.subjectAltName).toBe('DNS:nats.example, IP Address:10.0.0.1');
    expect(nats.verify(new X509Certificate(before.authority).publicKey)).toBe(true);
  });
});

test.each([
  [['--out', 'tls', '--host', 'a b'], /^fourfold: a b is neither a host name nor an IP address\n$/],
  [['--out', 'tls', '--days', '0'], /^fourfold: .*--days.*at least 1/],
  [[], /^fourfold: certificates: --out <dir> must be given; .*--help.*\n$/],
])('certificates %j is a mistake', async (args, reason) => {
  await inFolder(async (folder) => {
    const { exitCode, stderr } = await fourfold(folder, 'certificates', ...args);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(reason)]);
  });
});
