import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../setup/setup-servers.mjs', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fourfold-setup-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Set up MinIO with this shell script as `go`. */
function setUp(go: string) {
  writeFileSync(join(folder, 'go'), `#!/bin/sh\n[ "$1" = version ] && exit 0\n${go}\n`, { mode: 0o755 });
  const PATH = [folder, '/usr/bin', '/bin'].join(':');
  return spawnSync(process.execPath, [script, 'minio'], {
    encoding: 'utf8',
    env: { ...process.env, PATH, XDG_CACHE_HOME: join(folder, 'cache') },
  });
}

test('a long installation says so before it begins, and reports its progress', () => {
  const failed = setUp('echo "go: no network" >&2; exit 1');
  expect(failed.status).toBe(2);
  expect(failed.stderr).toMatch(
    /minio could not be installed: go install -v \S+ failed: go: no network; or put it on the PATH/,
  );

  const { status, stderr } = setUp(
    'echo "go: downloading github.com/x/y v1" >&2; echo github.com/x/y >&2; cp /bin/true "$GOBIN/minio"',
  );
  const lines = stderr.trimEnd().split('\n');
  expect(status).toBe(0);
  expect(lines).toEqual([
    'servers: minio: missing; installing it, which Go compiles in 3 to 10 minutes on two cores, with 2 GB in its caches',
    expect.stringMatching(/^servers: compiling github\.com\/minio\/minio@latest \.\.\.$/),
    'servers: modules fetched: 1, packages compiled: 0, after 0 s',
    expect.stringMatching(/^servers: minio: installed as .*cache\/fourfold\/bin\/minio after \d+ s$/),
  ]);
  const again = setUp('exit 1');
  expect([again.status, again.stderr]).toEqual([0, expect.stringMatching(/^servers: minio: \S+\n$/)]);
});
