import { getSystemErrorMap } from 'node:util';
import type { ErrorCode } from './error-codes.js';

/*
 * Errors of the operating system: their kind, and their reason in words instead of names such as EISDIR.
 */

/** Each follows `NAME: ` or `NAME could not be read: `. */
const reasons: Record<string, string> = {
  ENOENT: 'it does not exist',
  EEXIST: 'it already exists',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of the path is a file, not a folder',
  ENOTEMPTY: 'it is not empty',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the disk is read-only',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the disk is full',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  EIO: 'the disk reports an error',
  EXDEV: 'it is on another disk',
  EINVAL: 'the system refuses it',
  ENXIO: 'it is not a regular file',
  ESTALE: 'its network disk no longer knows it',
  ENODEV: 'the device does not exist',
  ENOMEM: 'there is not enough memory',
  EPIPE: 'the connection was closed',
  ECONNRESET: 'the connection was closed',
  ECONNABORTED: 'the connection was closed',
  ECONNREFUSED: 'the connection is refused',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server does not answer',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine does not have the address',
};

/** All names that the system has for its errors; other names of capitals in a message are left alone. */
const names = new Set([...Object.keys(reasons), ...[...getSystemErrorMap().values()].map(([name]) => name)]);

/** A system error's reason in words. */
export const systemReason = (code: string, description = code): string => reasons[code] ?? description.trim();

/** `EISDIR: illegal operation on a directory, read`, `ENOENT: no such file or directory, open '/x'`. */
const ofFiles = /(?:Error: )?\b(E[A-Z]{3,}): ([^,:']+)(?:, [\w.]+(?: '([^']*)'(?: -> '[^']*')?)?)?/g;
/** `connect ECONNREFUSED 127.0.0.1:9`, `getaddrinfo ENOTFOUND minio.example`, `read ECONNRESET`. */
const ofNetworks = /(?:Error: )?\b(connect|getaddrinfo|read|write|bind|send) (E[A-Z_]{3,})(?: ([^\s;,)]+))?/g;
/** `listen EADDRINUSE: address already in use 127.0.0.1:80`. */
const ofListening = /(?:Error: )?\b(?:listen|bind) (E[A-Z]{3,}): .*? (\S+)$/g;
/** `spawn nats-server ENOENT`. */
const ofPrograms = /\bspawn(?: (\S+))? (E[A-Z]{3,})/g;

/** A message with the system's reasons in words. A file's path stays only where nothing before it names the thing. */
export function inWords(message: string): string {
  return message
    .replaceAll(ofListening, (all: string, code: string, address: string) => {
      if (!names.has(code)) return all;
      return code === 'EACCES' ? `this user may not listen on ${address}` : `${address}: ${systemReason(code)}`;
    })
    .replaceAll(ofFiles, (all: string, code: string, description: string, path: string | undefined, at: number) =>
      names.has(code) ? `${at === 0 && path ? `${path}: ` : ''}${systemReason(code, description)}` : all,
    )
    .replaceAll(ofNetworks, (all: string, _call, code: string, address: string | undefined) => {
      if (!names.has(code)) return all;
      return address === undefined ? systemReason(code) : `${systemReason(code)} (${address})`;
    })
    .replaceAll(ofPrograms, (all: string, program: string | undefined, code: string) => {
      if (!names.has(code)) return all;
      return program === undefined ? systemReason(code) : `${program}: ${systemReason(code)}`;
    });
}

/** The kind of failure of a system error. Permissions and paths are for the user to change; other reasons may pass (a disk turns read-only after an error). */
export function systemFailureCode(code: string | undefined): ErrorCode {
  switch (code) {
    case 'ENOENT':
      return 'not-found';
    case 'EEXIST':
      return 'conflict';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return 'no-space';
    case 'EACCES':
    case 'EPERM':
    case 'EISDIR':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return 'denied';
    default:
      return 'unavailable';
  }
}
