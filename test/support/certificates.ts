import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** A certificate authority for tests. */
export interface Authority {
  name: string;
  certificate: x509.X509Certificate;
  keys: webcrypto.CryptoKeyPair;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 24 * 60 * 60 * 1000;
const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
const validity = () => ({ notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) });
x509.cryptoProvider.set(webcrypto as Crypto);

export async function createAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const extensions = [new x509.BasicConstraintsExtension(true, undefined, true)];
  const options = { name: `CN=${name}`, keys, signingAlgorithm: algorithm, extensions, ...validity() };
  return { name, keys, certificate: await x509.X509CertificateGenerator.createSelfSigned(options) };
}

/**
 * Write an identity for 127.0.0.1 into a folder. Returns the environment variables that name its files, and the files.
 */
export async function writeIdentity(folder: string, authority: Authority, name: string) {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    signingKey: authority.keys.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
    ...validity(),
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  const files = {
    FOURFOLD_TLS_CA: join(folder, `${authority.name}.pem`),
    FOURFOLD_TLS_CERTIFICATE: join(folder, `${name}.pem`),
    FOURFOLD_TLS_KEY: join(folder, `${name}.key`),
  };
  await writeFile(files.FOURFOLD_TLS_CA, authority.certificate.toString('pem'));
  await writeFile(files.FOURFOLD_TLS_CERTIFICATE, certificate.toString('pem'));
  await writeFile(files.FOURFOLD_TLS_KEY, key);
  return files;
}
