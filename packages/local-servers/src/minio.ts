import { randomBytes } from 'node:crypto';
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

/**
 * Start MinIO on the loopback interface, with keys of its own and no bucket. Throws `not-found` where it is not
 * installed, `unavailable` when it does not become ready.
 */
export async function startMinio(): Promise<LocalMinio> {
  const accessKey = `fourfold-${randomBytes(4).toString('hex')}`;
  const secretKey = randomBytes(16).toString('hex');
  const server = await launchServer({
    program: requireProgram('minio'),
    portCount: 1,
    prepare: ([port], folder) =>
      Promise.resolve({
        args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(folder, 'data')],
        env: {
          MINIO_ROOT_USER: accessKey,
          MINIO_ROOT_PASSWORD: secretKey,
          MINIO_BROWSER: 'off',
          MINIO_UPDATE: 'off',
          HOME: folder,
        },
      }),
    readyUrl: ([port]) => `http://127.0.0.1:${port}/minio/health/cluster`,
  });
  const endpoint = `http://127.0.0.1:${server.ports[0]}`;
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
