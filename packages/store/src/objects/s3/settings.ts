import { z } from '@fourfold/common/zod';
import { FourfoldError, type Environment } from '@fourfold/common';
import { findKeySource, type KeySource } from './key-source.js';

/** How to reach an S3 service. None of this is ever part of a config, a URL, a log line or an error. */
export interface S3Settings {
  /** The service's base URL. */
  endpoint: string;
  region: string;
  keys: KeySource;
  /** How long a request is retried while the service cannot be reached. */
  patienceMs: number;
}

/** Our name first, then those that AWS's own programs read. */
const endpointVariables = ['FOURFOLD_S3_ENDPOINT', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'] as const;
const regionVariables = ['FOURFOLD_S3_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION'] as const;
const patienceVariable = 'FOURFOLD_S3_PATIENCE_MS';

/**
 * Read the settings from the environment. The default region is MinIO's, the default patience ten minutes. Throws `invalid` naming the
 * variable, never its value.
 */
export function readS3Settings(environment: Environment): S3Settings {
  const region = regionVariables.map((name) => environment[name]).find(Boolean) ?? 'us-east-1';
  return {
    endpoint: parseEndpoint(environment),
    region,
    keys: findKeySource(environment, region),
    patienceMs: parsePatience(environment[patienceVariable]),
  };
}

function parseEndpoint(environment: Environment): string {
  const hint =
    'set it to the base URL of the S3 service, such as https://minio.example:9000, or https://s3.REGION.amazonaws.com for AWS';
  const variable = endpointVariables.find((name) => environment[name]);
  const text = variable && environment[variable];
  if (!text) throw new FourfoldError('invalid', `${endpointVariables[0]} is not set`, { hint });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBase = url && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.username;
  if (!isBase) throw new FourfoldError('invalid', `${variable} is not a base URL`, { hint });
  return url.origin;
}

function parsePatience(text: string | undefined): number {
  const parsed = z.coerce
    .number()
    .int()
    .min(0)
    .safeParse(text || 600_000);
  if (parsed.success) return parsed.data;
  throw new FourfoldError('invalid', `${patienceVariable} must be a whole number of milliseconds`);
}
