import { z } from 'zod';
import { readSecret, type Environment } from '../environment.js';
import { FourfoldError } from '../errors.js';

/** How to reach an S3 service. Nothing of this is ever part of a config, a URL, a log line or an error. */
export interface S3Settings {
  /** The service's base URL. */
  endpoint: string;
  region: string;
  /** Missing for anonymous access, which reads what a policy makes public. */
  keys?: { accessKey: string; secretKey: string };
  /** How long a request is tried again while the service cannot be reached. */
  patienceMs: number;
}

const variables = {
  endpoint: 'FOURFOLD_S3_ENDPOINT',
  region: 'FOURFOLD_S3_REGION',
  accessKey: 'FOURFOLD_S3_ACCESS_KEY',
  secretKey: 'FOURFOLD_S3_SECRET_KEY',
  patienceMs: 'FOURFOLD_S3_PATIENCE_MS',
} as const;

/**
 * The settings that the environment holds; a key may also stand in the file that its variable with `_FILE` names. MinIO's
 * region and ten minutes of patience where nothing is said. Throws `invalid` naming the variable, never its value.
 */
export function readS3Settings(environment: Environment): S3Settings {
  const accessKey = readSecret(environment, variables.accessKey);
  const secretKey = readSecret(environment, variables.secretKey);
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    const missing = accessKey === undefined ? variables.accessKey : variables.secretKey;
    throw new FourfoldError('invalid', `${missing} is not set, though the other key is`, {
      mend: 'set both keys, or none for anonymous access',
    });
  }
  return {
    endpoint: parseEndpoint(environment[variables.endpoint]),
    region: environment[variables.region] || 'us-east-1',
    ...(accessKey !== undefined && secretKey !== undefined && { keys: { accessKey, secretKey } }),
    patienceMs: parsePatience(environment[variables.patienceMs]),
  };
}

function parseEndpoint(text: string | undefined): string {
  const mend = 'set it to the base URL of the S3 service, such as https://minio.example:9000';
  if (!text) throw new FourfoldError('invalid', `${variables.endpoint} is not set`, { mend });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBase = url && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.username;
  if (!isBase) throw new FourfoldError('invalid', `${variables.endpoint} is no base URL`, { mend });
  return url.origin;
}

function parsePatience(text: string | undefined): number {
  const parsed = z.coerce
    .number()
    .int()
    .min(0)
    .safeParse(text || 600_000);
  if (parsed.success) return parsed.data;
  throw new FourfoldError('invalid', `${variables.patienceMs} must be a whole number of milliseconds`);
}
