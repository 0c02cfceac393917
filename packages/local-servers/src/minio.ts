import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram } from './find-program.js';
import { launchServer, type LocalServer } from './server.js';

export interface LocalMinio extends LocalServer {
  /** URL of its S3 service. */
  endpoint: string;
  accessKey: string;
  secretKey: string;
  /** The environment variables with which fourfold's processes find it. */
  environment: Record<'FOURFOLD_S3_ENDPOINT' | 'FOURFOLD_S3_ACCESS_KEY' | 'FOURFOLD_S3_SECRET_KEY', string>;
}

export interface MinioOptions {
  /** PEM texts with which it speaks TLS; the certificate is for 127.0.0.1. */
  tls?: { certificate: string; key: string };
  /** Made for it unless given. */
  keys?: MinioKeys;
  /** Kept; without it a temporary one. */
  folder?: string;
  /** The only one that it takes requests for; any unless given. */
  region?: string;
}

export interface MinioKeys {
  accessKey: string;
  secretKey: string;
}

/** Keys that nobody guesses. */
export const randomMinioKeys = (): MinioKeys => ({
  accessKey: `fourfold-${randomBytes(4).toString('hex')}`,
  secretKey: randomBytes(16).toString('hex'),
});

/**
 * Start MinIO on the loopback interface, with no bucket unless `folder` holds some; with `tls` its endpoint is `https`. Throws
 * `not-found` where it is not installed, `unavailable` when it does not become ready.
 */
export async function startMinio({ tls, keys, folder: kept, region }: MinioOptions = {}): Promise<LocalMinio> {
  const { accessKey, secretKey } = keys ?? randomMinioKeys();
  const scheme = tls ? 'https' : 'http';
  const server = await launchServer({
    program: requireProgram('minio'),
    folder: kept,
    portCount: 1,
    async prepare([port], folder) {
      const certificates = join(folder, 'certificates');
      await mkdir(certificates, { recursive: true });
      if (tls) {
        await writeFile(join(certificates, 'public.crt'), tls.certificate);
        await writeFile(join(certificates, 'private.key'), tls.key, { mode: 0o600 });
      }
      const options = ['--quiet', '--certs-dir', certificates, '--address', `127.0.0.1:${port}`];
      return {
        args: ['server', ...options, join(folder, 'data')],
        env: {
          MINIO_ROOT_USER: accessKey,
          MINIO_ROOT_PASSWORD: secretKey,
          MINIO_BROWSER: 'off',
          MINIO_UPDATE: 'off',
          ...(region && { MINIO_REGION: region }),
          HOME: folder,
        },
      };
    },
    readyUrl: ([port]) => `${scheme}://127.0.0.1:${port}/minio/health/cluster`,
  });
  const endpoint = `${scheme}://127.0.0.1:${server.ports[0]}`;
  return {
    ...server,
    endpoint,
    accessKey,
    secretKey,
    environment: {
      FOURFOLD_S3_ENDPOINT: endpoint,
      FOURFOLD_S3_ACCESS_KEY: accessKey,
      FOURFOLD_S3_SECRET_KEY: secretKey,
    },
  };
}
