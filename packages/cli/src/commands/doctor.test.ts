import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { examinePlaces, proxies } from '../examined-places.js';
import { createProgram } from '../program.js';
import { inFolder } from '../test-support.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('--json has a finding for each place that is written to, for memory and for proxies', async () => {
  const said = vi.spyOn(console, 'log').mockReturnValue();
  const program = await createProgram('doctor');
  await program.parseAsync(['doctor', '--json'], { from: 'user' });
  const { findings } = JSON.parse(String(said.mock.calls[0][0])) as { findings: { subject: string; detail: string }[] };
  const details = new Map(findings.map(({ subject, detail }) => [subject, detail]));
  for (const subject of ['writing to ./out', 'shard cache', 'shared memory', 'temporary files', 'memory']) {
    expect(details.get(subject), subject).toMatch(/ free|no \/dev\/shm/);
  }
  expect(details.get('proxies')).toMatch(/set|_proxy/i);
});

test('shards in the cache are counted, and the check leaves nothing behind', async () => {
  await inFolder(async (folder) => {
    const cache = join(folder, 'fourfold/shards');
    const look = async () => (await examinePlaces({ XDG_CACHE_HOME: folder })).find(isCache);
    const isCache = ({ subject }: { subject: string }) => subject === 'shard cache';
    expect(await look()).toMatchObject({ ok: true, detail: expect.stringMatching(/ free, empty/) as string });
    expect(await readdir(folder)).toEqual([]);
    await mkdir(cache, { recursive: true });
    await writeFile(join(cache, `${'a'.repeat(64)}.tar`), Buffer.alloc(2_000));
    await writeFile(join(cache, 'notes.txt'), 'mine');
    expect((await look())?.detail).toMatch(/, 1 shard of 2\.0 kB/);
    expect((await readdir(cache)).length).toBe(2);
    // A file where the folder should be, which root cannot write into either.
    await writeFile(join(folder, 'file'), '');
    const other = (await examinePlaces({ XDG_CACHE_HOME: join(folder, 'file') })).find(isCache);
    expect(other).toMatchObject({ ok: false, detail: expect.stringContaining('set data.cacheFolder') as string });
  });
});

test('proxies are named without their values', () => {
  const environment = { http_proxy: 'http://me:secret@proxy:1', NO_PROXY: 'localhost', all_proxy: '', PATH: '/bin' };
  expect(proxies(environment).detail).toBe('NO_PROXY, http_proxy: only the setup scripts use them');
  expect(proxies({ ...environment, FOURFOLD_GRPC_PROXY: '1' }).detail).toContain('FOURFOLD_GRPC_PROXY is 1');
  expect(proxies({}).detail).toBe('no variable is set');
});
