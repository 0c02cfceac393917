import { setTimeout as delay } from 'node:timers/promises';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { describeError, FourfoldError, reportWaiting, type Logger } from '@fourfold/common';
import { errors, type ConnectionOptions } from '@nats-io/transport-node';
import { refusalOf } from './failures.js';
import { serverNames, type NatsSettings } from './settings.js';
import { tlsAlert } from './tls-alert.js';
import { connectForLongMessages, type LongMessageConnection } from './transport.js';

export interface FirstConnectionOptions {
  settings: NatsSettings;
  /** This process's name in NATS's monitoring. */
  name: string;
  /** How long to wait for a server at the start. */
  patienceMs: number;
  log: Logger;
  signal: AbortSignal;
}

const retryMs = 250;
const handshakeMs = 5_000;
/** A server that has not answered two pings counts as lost. */
const pingMs = 2_000;

/**
 * Connect as soon as one of the servers answers; the connection then reconnects without limit. Throws what `refusalOf` finds,
 * and `unavailable` if no server answers within `patienceMs`.
 */
export async function connectPatiently(options: FirstConnectionOptions): Promise<LongMessageConnection> {
  const { settings, patienceMs, log } = options;
  const servers = serverNames(settings);
  let reason = 'no answer yet';
  let said = false;
  const connecting = connectAgain(options, (error) => (reason = describeError(error)));
  const connected = await reportWaiting(connecting, (waitedMs) => {
    said = true;
    log.warn({ event: 'nats-waiting', servers, waitedMs, patienceMs, reason }, 'waiting for NATS');
  });
  if (said) log.info({ event: 'nats-back', server: connected.connection.getServer() }, 'NATS is reached');
  return connected;
}

async function connectAgain(
  { settings, name, patienceMs, signal }: FirstConnectionOptions,
  onFailed: (error: unknown) => void,
): Promise<LongMessageConnection> {
  const servers = serverNames(settings);
  const begunMs = performance.now();
  for (;;) {
    signal.throwIfAborted();
    try {
      return await connectForLongMessages({ ...connectionOptions(settings), servers, name });
    } catch (error) {
      const refusal = refusalOf(error) ?? (await hiddenRefusal(error, settings));
      if (refusal) throw refusal;
      const waitedMs = Math.round(performance.now() - begunMs);
      if (waitedMs >= patienceMs) {
        throw new FourfoldError('unavailable', `NATS was not reached at ${servers.join(', ')} for ${waitedMs} ms`, {
          hint: 'start nats-server, or check FOURFOLD_NATS_URL',
          cause: error,
        });
      }
      onFailed(error);
    }
    await delay(retryMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function connectionOptions(settings: NatsSettings): ConnectionOptions {
  const { isSecure, credentials } = settings;
  return {
    ...(credentials && { user: credentials.user, pass: credentials.password }),
    ...(isSecure && { tls: tlsOptions(settings) }),
    timeout: handshakeMs,
    pingInterval: pingMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: retryMs,
    reconnectJitter: retryMs,
    reconnectJitterTLS: retryMs,
    // A password that is being changed is refused for a while; that must not end a run.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
  };
}

/**
 * The client reads the files' contents for each connection that it makes, one after the other without a pause: in that time they are
 * those of one reading, so that no certificate meets the key of its renewal.
 */
function tlsOptions(settings: NatsSettings) {
  const { servers } = settings;
  let reading: { identity: NatsSettings['identity'] } | undefined;
  const identity = () => {
    if (!reading) {
      reading = { identity: settings.identity };
      queueMicrotask(() => (reading = undefined));
    }
    return reading.identity;
  };
  return {
    get ca() {
      return identity()?.authority;
    },
    get cert() {
      return identity()?.certificate;
    },
    get key() {
      return identity()?.key;
    },
    // The client does not pass on an IP address. Any server that the URL names may answer.
    checkServerIdentity(_: string, certificate: PeerCertificate): Error | undefined {
      const problems = servers.map(({ host }) => checkServerIdentity(host, certificate));
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}

/** A refusal of this process's certificate, which the client takes for silence. */
async function hiddenRefusal(error: unknown, settings: NatsSettings): Promise<FourfoldError | undefined> {
  if (!settings.isSecure || !(error instanceof errors.TimeoutError)) return undefined;
  const [{ host, port }] = settings.servers;
  return refusalOf(await tlsAlert(host, port, tlsOptions(settings)));
}
