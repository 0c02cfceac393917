import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { FourfoldError, expandHome, type Environment } from '@fourfold/common';

/** The certificate and key that a process presents, and the authority that it trusts, in PEM. */
export interface TlsIdentity {
  /** Certificates of the authority that signed those of all parts. */
  authority: string;
  certificate: string;
  key: string;
}

const variables = {
  authority: 'FOURFOLD_TLS_CA',
  certificate: 'FOURFOLD_TLS_CERTIFICATE',
  key: 'FOURFOLD_TLS_KEY',
} as const;

/** By the paths of its files: what they held when they last belonged together. */
const lastRead = new Map<string, TlsIdentity>();

/**
 * The identity that the files named by the environment hold now; undefined if it names none. The object is the same until they change. While
 * they are being renewed, and do not belong together, it is the one before. Throws `invalid` naming the variable if only some are set, or
 * if at the first time a file cannot be read or the files do not belong together.
 */
export function readTlsIdentity(environment: Environment): TlsIdentity | undefined {
  const missing = Object.values(variables).filter((variable) => !environment[variable]);
  if (missing.length === Object.keys(variables).length) return undefined;
  if (missing.length > 0) {
    const hint = `set ${Object.values(variables).join(', ')} together, or none of them`;
    throw new FourfoldError('invalid', `${missing.join(' and ')} is not set`, { hint });
  }
  const paths = Object.values(variables)
    .map((variable) => environment[variable])
    .join('\0');
  const before = lastRead.get(paths);
  try {
    const identity = readFiles(environment);
    if (before && isDeepStrictEqual(before, identity)) return before;
    checkPem(identity);
    lastRead.set(paths, identity);
    return identity;
  } catch (error) {
    if (before) return before;
    throw error;
  }
}

function readFiles(environment: Environment): TlsIdentity {
  const read = (variable: string): string => {
    const path = environment[variable] as string;
    try {
      return readFileSync(expandHome(path), 'utf8');
    } catch (cause) {
      throw new FourfoldError('invalid', `${variable}: ${path} cannot be read`, { cause });
    }
  };
  return {
    authority: read(variables.authority),
    certificate: read(variables.certificate),
    key: read(variables.key),
  };
}

function checkPem({ authority, certificate, key }: TlsIdentity): void {
  try {
    new X509Certificate(authority);
  } catch {
    throw new FourfoldError('invalid', `${variables.authority} does not name a certificate in PEM`);
  }
  try {
    createSecureContext({ cert: certificate, key });
  } catch {
    // OpenSSL's message does not help, and might hold part of the key.
    const files = `${variables.certificate} and ${variables.key}`;
    throw new FourfoldError('invalid', `${files} do not name a certificate in PEM and its key`);
  }
}
