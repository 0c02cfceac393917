import { expect, test } from 'vitest';
import { describeError, exitCodeOf, FourfoldError, systemErrorCode, type ErrorCode } from './errors.js';

test('an error is described on one line: message, causes, hint', () => {
  const cause = new Error('connect ECONNREFUSED\n  at 127.0.0.1:9', { cause: new Error('socket') });
  const error = new FourfoldError('unavailable', 'nats: no answer', { hint: 'start it', cause });
  expect(describeError(error)).toBe('nats: no answer: connect ECONNREFUSED at 127.0.0.1:9: socket; start it');
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

test.each<[ErrorCode, number]>([
  ['invalid', 2],
  ['not-found', 2],
  ['corrupt', 1],
  ['conflict', 1],
  ['no-space', 1],
  ['unavailable', 1],
  ['refused', 1],
  ['mismatch', 1],
])('%s ends the process with %i', (code, exitCode) => {
  expect(exitCodeOf(new FourfoldError(code, 'thing: reason'))).toBe(exitCode);
});

test('any other error ends the process with 1', () => {
  expect(exitCodeOf(new TypeError('x is not a function'))).toBe(1);
  expect(exitCodeOf('thrown text')).toBe(1);
});

test('a system error’s code is distinguished from other codes', () => {
  expect(systemErrorCode(Object.assign(new Error('no such file'), { code: 'ENOENT' }))).toBe('ENOENT');
  expect(systemErrorCode(Object.assign(new Error('a gRPC status'), { code: 5 }))).toBeUndefined();
  expect(systemErrorCode({ code: 'ENOENT' })).toBeUndefined();
  expect(systemErrorCode(new FourfoldError('corrupt', 'a thing is damaged'))).toBeUndefined();
});
