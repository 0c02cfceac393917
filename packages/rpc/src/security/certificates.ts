import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate as PemCertificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { FourfoldError, roles } from '@fourfold/common';
import { storageError, writeWhole } from '@fourfold/store';
import { isRoleName, roleName } from './roles.js';

/*
 * A private certificate authority for users who have none: PEM files in a folder.
 */

export interface CertificateOptions {
  /** How long the certificates are valid; the authority itself is valid for ten years. */
  days: number;
  /** Names and IP addresses at which clients reach nats-server and MinIO. */
  hosts: readonly string[];
  /** Replace the certificates that exist, too, but not the authority. */
  renew?: boolean;
}

export interface CertificateFiles {
  certificate: string;
  key: string;
}

/** The contents of the folder by purpose, and the names that are new. */
export interface CertificateReport {
  authority: CertificateFiles;
  certificates: Record<string, CertificateFiles>;
  made: string[];
}

const authorityName = 'ca';
const authorityDays = 3650;
const dayMs = 86_400_000;
/** Peers' clocks may be slow by this much. */
const clockSkewMs = 300_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const both = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];

interface Leaf {
  names: readonly string[];
  usages: ExtendedKeyUsage[];
}

/** A certificate for each role, `local` for a whole run on one machine, and one for each server that fourfold uses. */
const leaves = (hosts: readonly string[]): Record<string, Leaf> => ({
  ...Object.fromEntries(roles.map((role) => [role, { names: [roleName(role)], usages: both }])),
  local: { names: roles.map(roleName), usages: both },
  nats: { names: hosts, usages: [ExtendedKeyUsage.serverAuth] },
  minio: { names: hosts, usages: [ExtendedKeyUsage.serverAuth] },
});

/**
 * Create an authority in `folder`, or use the existing one, and create all missing certificates and keys (EC P-256, PEM; keys are readable
 * only by their owner). Nothing is overwritten, except certificates and keys to `renew`. Throws `invalid` naming an invalid host, or a certificate without its key.
 */
export async function makeCertificates(
  folder: string,
  { days, hosts, renew = false }: CertificateOptions,
): Promise<CertificateReport> {
  for (const host of hosts) checkHost(host);
  const wanted = leaves(hosts);
  const files = Object.fromEntries(
    [authorityName, ...Object.keys(wanted)].map((name) => [name, filesOf(folder, name)]),
  );
  const existing = Object.keys(files).filter((name) => exist(files[name]));
  const kept = renew ? existing.filter((name) => name === authorityName) : existing;
  for (const name of kept) await checkPair(files[name]);
  const made = Object.keys(files).filter((name) => !kept.includes(name));
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw storageError(folder, 'made', cause);
  });
  const authority = made.includes(authorityName)
    ? await makeAuthority(files[authorityName])
    : await readAuthority(files[authorityName]);
  for (const name of made)
    if (name !== authorityName) await makeLeaf(files[name], name, wanted[name], { days, force: renew }, authority);
  const { [authorityName]: own, ...certificates } = files;
  return { authority: own, certificates, made };
}

/** The hosts of the servers' certificates in a folder; undefined if it has none. Throws `invalid` for a file that is not a certificate. */
export async function hostsIn(folder: string): Promise<string[] | undefined> {
  const path = filesOf(folder, 'nats').certificate;
  if (!existsSync(path)) return undefined;
  try {
    const names = new X509Certificate(await readFile(path, 'utf8')).getExtension(
      SubjectAlternativeNameExtension,
    )?.names;
    return names?.toJSON().map(({ value }) => value);
  } catch (cause) {
    throw new FourfoldError('invalid', `${path} is not a certificate in PEM`, { cause });
  }
}

/** The identity of this name in a folder of `makeCertificates`, as the environment variables for its files. */
export const identityEnvironment = (folder: string, name: string) => ({
  FOURFOLD_TLS_CA: filesOf(folder, authorityName).certificate,
  FOURFOLD_TLS_CERTIFICATE: filesOf(folder, name).certificate,
  FOURFOLD_TLS_KEY: filesOf(folder, name).key,
});

const filesOf = (folder: string, name: string): CertificateFiles => ({
  certificate: join(folder, `${name}.crt`),
  key: join(folder, `${name}.key`),
});

/** Whether both files exist. Throws if only one does, since neither can be made from the other. */
function exist({ certificate, key }: CertificateFiles): boolean {
  const [hasCertificate, hasKey] = [certificate, key].map(existsSync);
  if (hasCertificate === hasKey) return hasCertificate;
  const [found, missing] = hasKey ? [key, certificate] : [certificate, key];
  throw new FourfoldError('invalid', `${found} exists, but ${missing} does not`, {
    hint: 'restore the missing file, or move the other one away so that both are created again',
  });
}

/** Throw `invalid` for a certificate with another one's key, which an interrupted renewal may have left. */
async function checkPair({ certificate, key }: CertificateFiles): Promise<void> {
  const [cert, pem] = await Promise.all(
    [certificate, key].map((path) => readFile(path, 'utf8').catch(() => undefined)),
  );
  // What cannot be read is reported by whoever needs it.
  if (cert === undefined || pem === undefined || belongTogether(cert, pem)) return;
  throw new FourfoldError('invalid', `${certificate} and ${key} do not belong together`, {
    hint: 'make them again with --renew',
  });
}

function belongTogether(certificate: string, key: string): boolean {
  try {
    return new PemCertificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    // No PEM at all is reported where it is read.
    return true;
  }
}

function checkHost(host: string): void {
  const isHost = isIP(host) > 0 || /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host);
  if (!isHost) throw new FourfoldError('invalid', `${host} is neither a host name nor an IP address`);
  if (isRoleName(host))
    throw new FourfoldError('invalid', `${host} is the name of a role, which is not allowed for a server`);
}

interface Authority {
  certificate: X509Certificate;
  key: webcrypto.CryptoKey;
}

async function makeAuthority(files: CertificateFiles): Promise<Authority> {
  const keys = await makeKeys();
  const subject = 'CN=fourfold authority';
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: subject,
    ...validity(authorityDays),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeFiles(files, certificate, keys.privateKey);
  return { certificate, key: keys.privateKey };
}

async function readAuthority(files: CertificateFiles): Promise<Authority> {
  const [certificate, key] = await Promise.all(
    [files.certificate, files.key].map((path) =>
      readFile(path, 'utf8').catch((cause: unknown) => {
        throw new FourfoldError('invalid', `${path} cannot be read`, { cause });
      }),
    ),
  );
  try {
    const [pkcs8] = PemConverter.decode(key);
    return {
      certificate: new X509Certificate(certificate),
      key: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
    };
  } catch {
    // Its message might hold part of the key.
    throw new FourfoldError('invalid', `${files.certificate} and ${files.key} are not an EC P-256 authority in PEM`);
  }
}

async function makeLeaf(
  files: CertificateFiles,
  name: string,
  { names, usages }: Leaf,
  { days, force }: { days: number; force: boolean },
  authority: Authority,
): Promise<void> {
  const keys = await makeKeys();
  const { notBefore, notAfter } = validity(days);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=fourfold ${name}`,
    issuer: authority.certificate.subject,
    notBefore,
    notAfter: new Date(Math.min(notAfter.getTime(), authority.certificate.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
    ],
  });
  await writeFiles(files, certificate, keys.privateKey, force);
}

const makeKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

/** A positive number of 16 random bytes, in hexadecimal. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(Buffer.alloc(16));
  bytes[0] = (bytes[0] & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + days * dayMs) };
}

async function writeFiles(
  files: CertificateFiles,
  certificate: X509Certificate,
  key: webcrypto.CryptoKey,
  force = false,
): Promise<void> {
  const pkcs8 = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), PemConverter.PrivateKeyTag);
  const write = (path: string, text: string, mode: number, meanwhile?: () => Promise<void>): Promise<void> =>
    // Without `force` a file that has appeared meanwhile stays.
    writeWhole(path, { force }, async (partial) => {
      await writeFile(partial, `${text}\n`, { mode });
      await meanwhile?.();
    }).catch((cause: unknown) => {
      throw cause instanceof FourfoldError ? cause : storageError(path, 'written', cause);
    });
  // The key takes its place while the certificate waits beside its own: a pair that does not match is seen for a moment at most.
  await write(files.certificate, certificate.toString('pem'), 0o644, () => write(files.key, pkcs8, 0o600));
}
