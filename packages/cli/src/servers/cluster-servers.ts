import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemErrorCode, type Role } from '@fourfold/common';
import { identityEnvironment, makeCertificates } from '@fourfold/rpc/certificates';
import { requireProgram } from './find-program.js';
import { createGuard } from './guard.js';
import { randomMinioKeys, startMinio, type LocalMinio } from './minio.js';
import { startNats, type LocalNats } from './nats.js';

/** Which certificate a process presents: a role's, or `local` for a process with all roles. */
export type ClusterRole = Role | 'local';

/** NATS and MinIO as in a cluster: certificates everywhere, keys in files. */
export interface ClusterServers {
  /** Certificates and secrets; a temporary folder is removed by `stop`, or when this process ends. */
  folder: string;
  nats: LocalNats;
  minio: LocalMinio;
  /** The environment of a process with that role; `nats` and `minio` replace the servers' own addresses (host:port). */
  environment: (role: ClusterRole, through?: { nats?: string; minio?: string }) => Record<string, string>;
  /** Values that must never appear in a log, a config or an argument. */
  secrets: readonly string[];
  stop(): Promise<void>;
}

const natsUser = 'fourfold';
const certificateDays = 365;

/**
 * Start nats-server and MinIO with an authority, certificates and secrets made for them. With a folder `kept`, these and the servers' data
 * are kept there, and existing files are used. Throws like `startNats`.
 */
export async function startClusterServers(kept?: string): Promise<ClusterServers> {
  for (const program of ['nats-server', 'minio'] as const) requireProgram(program);
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'fourfold-cluster-')));
  await mkdir(folder, { recursive: true });
  const guard = createGuard(kept ? undefined : folder);
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
    await guard.close();
  };
  try {
    const servers = await startServers(folder, kept, (server) => started.push(server));
    return { ...servers, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(
  folder: string,
  kept: string | undefined,
  onStarted: (server: LocalNats | LocalMinio) => void,
): Promise<Omit<ClusterServers, 'folder' | 'stop'>> {
  const hosts = ['localhost', '127.0.0.1'];
  const { authority, certificates } = await makeCertificates(folder, { days: certificateDays, hosts });
  const minioKeys = randomMinioKeys();
  const [password, joinToken, accessKey, secretKey] = await Promise.all([
    secretIn(folder, 'nats-password', randomBytes(16).toString('hex')),
    secretIn(folder, 'join-token', randomBytes(16).toString('hex')),
    secretIn(folder, 's3-access-key', minioKeys.accessKey),
    secretIn(folder, 's3-secret-key', minioKeys.secretKey),
  ]);
  const natsConfiguration = `
tls { cert_file: "${certificates['nats'].certificate}", key_file: "${certificates['nats'].key}", ca_file: "${authority.certificate}", verify: true }
authorization { user: ${natsUser}, password: "${password}" }
`;
  const nats = await startNats(natsConfiguration, kept && join(kept, 'nats'));
  onStarted(nats);
  const [certificate, key] = await Promise.all(
    [certificates['minio'].certificate, certificates['minio'].key].map((path) => readFile(path, 'utf8')),
  );
  const minio = await startMinio({
    tls: { certificate, key },
    keys: { accessKey, secretKey },
    folder: kept && join(kept, 'minio'),
  });
  onStarted(minio);
  const files = {
    FOURFOLD_NATS_USER: natsUser,
    FOURFOLD_NATS_PASSWORD_FILE: join(folder, 'nats-password'),
    FOURFOLD_JOIN_TOKEN_FILE: join(folder, 'join-token'),
    FOURFOLD_S3_ACCESS_KEY_FILE: join(folder, 's3-access-key'),
    FOURFOLD_S3_SECRET_KEY_FILE: join(folder, 's3-secret-key'),
    NODE_EXTRA_CA_CERTS: authority.certificate,
  };
  return {
    nats,
    minio,
    environment: (role, through = {}) => ({
      ...files,
      ...identityEnvironment(folder, role),
      FOURFOLD_NATS_URL: `tls://${through.nats ?? nats.address}`,
      FOURFOLD_S3_ENDPOINT: `https://${through.minio ?? new URL(minio.endpoint).host}`,
    }),
    secrets: [password, joinToken, secretKey],
  };
}

/** The secret in a file; a missing file is created with `fresh`. */
async function secretIn(folder: string, name: string, fresh: string): Promise<string> {
  const path = join(folder, name);
  try {
    await writeFile(path, fresh, { mode: 0o600, flag: 'wx' });
    return fresh;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return readFile(path, 'utf8');
  }
}
