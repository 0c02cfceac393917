import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { Client } from 'minio';
import pRetry from 'p-retry';
import { describeError, createLogger, startWaitReports, type Environment } from '@fourfold/common';
import { isPassing, s3ErrorCode, toFourfoldError } from './failures.js';
import { createKeyring, type Keyring } from './keyring.js';
import type { Keys } from './role-keys.js';
import type { S3Settings } from './settings.js';

/** The largest body of a request; larger objects are put in parts. */
export const partSizeBytes = 16 << 20;

export interface S3Connection {
  /**
   * Make a request, and retry it while the service cannot be reached, at growing random intervals and until patience runs out, or
   * `atMostMs` if that is less. A long wait is logged with `name`, the object or bucket. Throws what `toFourfoldError` makes of the failure.
   */
  attempt: <T>(name: string, request: (client: Client) => Promise<T>, atMostMs?: number) => Promise<T>;
}

/** After this long without a byte a connection counts as dead. */
const silenceMs = 20_000;
const retryMs = { first: 100, longest: 5_000 };
const maxSockets = 32;
/** Statuses whose body the client does not read. */
const unreadStatuses = new Set([408, 429, 499, 500, 502, 503, 504, 520]);

const require = createRequire(import.meta.url);

/** Load minio's client and point it at the service. */
function connectClient({ endpoint, region, keys }: S3Settings, keyring: Keyring): Client {
  const { hostname, port, protocol } = new URL(endpoint);
  const isSecure = protocol === 'https:';
  const { Client } = require('minio') as typeof import('minio');
  return new Client({
    endPoint: hostname,
    ...(port && { port: Number(port) }),
    useSSL: isSecure,
    region,
    ...(keys.from !== 'nobody' && { credentialsProvider: providerOf(keyring) }),
    partSize: partSizeBytes,
    transport: createTransport(isSecure ? https : http),
    transportAgent: new (isSecure ? https : http).Agent({ keepAlive: true, maxSockets }),
    retryOptions: { disableRetry: true },
  });
}

/**
 * `environment` is the source of the settings; keys are read from it, and from the files it names, when they are needed.
 * `connect` makes the client.
 */
export function createS3Connection(
  settings: S3Settings,
  environment: Environment,
  connect = connectClient,
): S3Connection {
  const keyring = createKeyring(settings.keys, environment);
  const { patienceMs } = settings;
  const log = createLogger('store');
  // Loading the client takes longer than the rest of a process's start, so it is loaded for the first request.
  let client: Client | undefined;
  // After one request has run out of patience, others do not wait as long again.
  let isGivenUp = false;
  return {
    async attempt(name, request, atMostMs = Infinity) {
      const begunMs = performance.now();
      let reason = 'no answer yet';
      let said = false;
      const stopReports = startWaitReports((waitedMs) => {
        said = true;
        log.warn({ event: 'store-waiting', name, waitedMs, patienceMs, reason }, `waiting for ${name}`);
      });
      try {
        const connected = (client ??= connect(settings, keyring));
        let signedBy: Keys | undefined;
        const signed = async () => {
          signedBy = await keyring.keys();
          return request(connected);
        };
        const result = await pRetry(signed, {
          retries: Infinity,
          minTimeout: retryMs.first,
          maxTimeout: retryMs.longest,
          randomize: true,
          maxRetryTime: isGivenUp ? 0 : Math.min(patienceMs, atMostMs),
          shouldRetry: async ({ error }) =>
            isPassing(error) || (signedBy ? keyring.mayRetry(signedBy, s3ErrorCode(error) ?? '') : false),
          onFailedAttempt: ({ error }) => {
            reason = describeError(error);
          },
        });
        if (signedBy) keyring.worked();
        isGivenUp = false;
        const waitedMs = Math.round(performance.now() - begunMs);
        if (said) log.info({ event: 'store-back', name, waitedMs }, `${name} is available again`);
        return result;
      } catch (error) {
        // A request that was cut short says nothing about the service.
        if (atMostMs >= patienceMs || !isPassing(error)) isGivenUp = isPassing(error);
        throw toFourfoldError(name, error, settings);
      } finally {
        stopReports();
      }
    },
  };
}

type Provider = NonNullable<ConstructorParameters<typeof Client>[0]['credentialsProvider']>;

/** The provider that the client asks for keys before it signs. It has the one method of minio's own class, which would have to be loaded. */
const providerOf = (keyring: Keyring): Provider =>
  ({
    async getCredentials() {
      const keys = await keyring.keys();
      return {
        getAccessKey: () => keys?.accessKey ?? '',
        getSecretKey: () => keys?.secretKey ?? '',
        getSessionToken: () => keys?.sessionToken,
      };
    },
  }) as unknown as Provider;

/** HTTP requests that fail when no more data arrives. */
function createTransport(module: typeof http | typeof https): Pick<typeof http, 'request'> {
  const request = (options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) => {
    const made = module.request(options, (response) => {
      if (unreadStatuses.has(response.statusCode ?? 0)) response.resume();
      onResponse(response);
    });
    return made.setTimeout(silenceMs, () => {
      made.destroy(Object.assign(new Error(`no data arrived for ${silenceMs} ms`), { code: 'ETIMEDOUT' }));
    });
  };
  // The client uses only this overload of Node.js's.
  return { request: request as typeof http.request };
}
