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
  /** The environment variables by which fourfold's processes find it. */
  environment: Record<'FOURFOLD_S3_ENDPOINT' | 'FOURFOLD_S3_ACCESS_KEY' | 'FOURFOLD_S3_SECRET_KEY', string>;
}

export interface MinioOptions {
  /** Certificate, for 127.0.0.1, and key in PEM, for TLS. */
  tls?: { certificate: string; key: string };
  /** Random by default. */
  keys?: MinioKeys;
  /** A folder that is kept; a temporary one by default. */
  folder?: string;
  /** The only region for which it accepts requests; any by default. */
  region?: string;
}

export interface MinioKeys {
  accessKey: string;
  secretKey: string;
}

/** Keys that cannot be guessed. */
export const randomMinioKeys = (): MinioKeys => ({
  accessKey: `fourfold-${randomBytes(4).toString('hex')}`,
  secretKey: randomBytes(16).toString('hex'),
});

/**
 * Start MinIO on the loopback interface, with only the buckets in `folder`, if any; with `tls` its endpoint is `https`. Throws
 * `not-found` if it is not installed, `unavailable` if it does not become ready.
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
