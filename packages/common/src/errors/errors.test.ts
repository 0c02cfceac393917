import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from '@fourfold/common/zod';
import { exitCodes, type ErrorCode } from './error-codes.js';
import { asOfMachine, describeError, exitCodeOf, FourfoldError, systemErrorCode } from './errors.js';

test('an error is described on one line: message, causes, hint', () => {
  const cause = new Error('connect ECONNREFUSED 127.0.0.1:9\n', { cause: new Error('socket') });
  const error = new FourfoldError('unavailable', 'nats: no answer', { hint: 'start it', cause });
  expect(describeError(error)).toBe('nats: no answer: the connection is refused (127.0.0.1:9): socket; start it');
});

test('a cause that adds nothing is left out', () => {
  const cause = new Error('the disk is full');
  expect(describeError(new FourfoldError('no-space', 'a could not be written: the disk is full', { cause }))).toBe(
    'a could not be written: the disk is full',
  );
});

test('a value that is not an error is described, too', () => {
  expect(describeError('text')).toBe('text');
  expect(describeError(undefined)).toBe('undefined');
});

test('each kind of failure has its exit code: 2 for what the user can change in the command, 1 for all others', () => {
  expect(exitCodes).toEqual({
    ...{ invalid: 2, 'not-found': 2, denied: 2 },
    ...{ corrupt: 1, conflict: 1, 'no-space': 1, unavailable: 1, refused: 1, mismatch: 1 },
  });
  for (const [code, exitCode] of Object.entries(exitCodes)) {
    expect(exitCodeOf(new FourfoldError(code as ErrorCode, 'thing: reason'))).toBe(exitCode);
    expect(exitCodeOf(new FourfoldError(code as ErrorCode, 'thing: reason', { isOfMachine: true }))).toBe(1);
  }
});

test('real errors of the system are described in words, with their exit code', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-errors-'));
  const file = join(folder, 'file');
  await writeFile(file, '');
  const failing: [() => Promise<unknown>, string, number][] = [
    [() => readFile(folder), 'it is a folder', 2],
    [() => readFile(join(folder, 'none')), `${join(folder, 'none')}: it does not exist`, 2],
    [() => readdir(file), `${file}: part of the path is a file, not a folder`, 2],
    [() => writeFile(join(folder, 'x'.repeat(300)), ''), `${join(folder, 'x'.repeat(300))}: the name is too long`, 2],
    [() => open(file, 'wx'), `${file}: it already exists`, 1],
  ];
  try {
    for (const [act, reason, exitCode] of failing) {
      const error: unknown = await act().catch((found: unknown) => found);
      expect(describeError(error)).toBe(reason);
      expect(exitCodeOf(error)).toBe(exitCode);
      const named = new FourfoldError('invalid', 'X cannot be read', { cause: error });
      expect(describeError(named)).toBe(`X cannot be read: ${reason.replace(/^\/.*: /, '')}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a refused connection is described in words, at each of several addresses', async () => {
  const reason = await new Promise<Error>((resolve) => {
    connect({ port: 1, host: 'localhost', autoSelectFamily: true }).once('error', resolve);
  });
  expect(describeError(new FourfoldError('unavailable', 'NATS: no answer', { cause: reason }))).toMatch(
    /^NATS: no answer: the connection is refused \(\S+:1\)/,
  );
  const both = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  expect(describeError(both)).toBe('the connection is refused (::1:1), the connection is refused (127.0.0.1:1)');
});

test.each([
  ['cannot be read: Error: EISDIR: illegal operation on a directory, read', 'cannot be read: it is a folder'],
  ["ENOENT: no such file or directory, rename '/a' -> '/b'", '/a: it does not exist'],
  ['EPROTO: protocol error, read', 'protocol error'],
  ['listen EADDRINUSE: address already in use 127.0.0.1:80', '127.0.0.1:80: the address is in use'],
  ['listen EACCES: permission denied 127.0.0.1:80', 'this user may not listen on 127.0.0.1:80'],
  ['getaddrinfo ENOTFOUND minio.example', 'the host name is not known (minio.example)'],
  ['spawn nats-server ENOENT', 'nats-server: it does not exist'],
  ['read ECONNRESET', 'the connection was closed'],
  [
    '14 UNAVAILABLE: Last error: connect ECONNREFUSED 1.2.3.4:5',
    '14 UNAVAILABLE: Last error: the connection is refused (1.2.3.4:5)',
  ],
  ['ERROR: not of the system, at all', 'ERROR: not of the system, at all'],
  ['', 'Error'],
])('%j is %j', (message, words) => expect(describeError(new Error(message))).toBe(words));

test('of zod’s issues the first is shown, with its key', () => {
  const { error } = z.object({ a: z.object({ b: z.number() }) }).safeParse({ a: { b: 'x' } });
  expect(describeError(new FourfoldError('corrupt', 'X is not a manifest', { cause: error }))).toBe(
    'X is not a manifest: a.b: expected number, received string',
  );
});

test('a cause without a message leaves no colon behind', () => {
  expect(describeError(new FourfoldError('unavailable', 'X could not be read', { cause: new Error('') }))).toBe(
    'X could not be read',
  );
});

test('any other error ends the process with 1', () => {
  expect(exitCodeOf(new TypeError('x is not a function'))).toBe(1);
  expect(exitCodeOf('thrown text')).toBe(1);
});

test('an error of one machine ends the process with 1, and keeps its kind', () => {
  const missing = Object.assign(new Error("ENOENT: no such file or directory, open '/data/a.tar'"), {
    code: 'ENOENT',
    syscall: 'open',
  });
  expect(exitCodeOf(missing)).toBe(2);
  const ofMachine = asOfMachine(missing);
  expect(ofMachine).toMatchObject({ code: 'not-found' });
  expect(describeError(ofMachine)).toBe('/data/a.tar: it does not exist');
  expect(exitCodeOf(ofMachine)).toBe(1);
  const denied = asOfMachine(new FourfoldError('denied', 'a could not be read', { hint: 'h' }));
  expect(denied).toMatchObject({ code: 'denied', options: { hint: 'h', isOfMachine: true } });
  const fault = new TypeError('x');
  expect(asOfMachine(fault)).toBe(fault);
});

test('a system error’s code is distinguished from other codes', () => {
  expect(systemErrorCode(Object.assign(new Error('no such file'), { code: 'ENOENT' }))).toBe('ENOENT');
  expect(systemErrorCode(Object.assign(new Error('a gRPC status'), { code: 5 }))).toBeUndefined();
  expect(systemErrorCode({ code: 'ENOENT' })).toBeUndefined();
  expect(systemErrorCode(new FourfoldError('corrupt', 'a thing is damaged'))).toBeUndefined();
});
