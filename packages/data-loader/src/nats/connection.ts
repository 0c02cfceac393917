import { describeError, startWaitReports, type Environment } from '@fourfold/common';
import { errors } from '@nats-io/transport-node';
import { connectPatiently, type FirstConnectionOptions } from './first-connection.js';
import { permissionRefusal } from './failures.js';
import { readNatsSettings, serverNames } from './settings.js';
import type { LongMessageConnection } from './transport.js';

/** A connection to NATS that reconnects until it is closed. */
export interface NatsLink extends LongMessageConnection {
  /** Why NATS cannot be used at the moment; undefined if it can. */
  whyDown(): string | undefined;
  /** Call a function after each reconnect; messages in transit are lost then. Returns a function that removes it. */
  onReconnect(listener: () => void): () => void;
  /** Aborted, with the reason, when NATS denies this user a permission that it needs. */
  readonly failed: AbortSignal;
  close(): Promise<void>;
}

export interface NatsLinkOptions extends Omit<FirstConnectionOptions, 'settings'> {
  environment: Environment;
}

/**
 * Connect to the server that the environment names. Long waits are logged. Throws as `connectPatiently` does.
 */
export async function connectToNats({
  environment,
  name,
  patienceMs,
  log,
  signal,
}: NatsLinkOptions): Promise<NatsLink> {
  const settings = readNatsSettings(environment);
  const servers = serverNames(settings);
  const { connection, publishInPlace } = await connectPatiently({ settings, name, patienceMs, log, signal });
  const listeners = new Set<() => void>();
  const failed = new AbortController();
  let down: { reason: string; stopReports: () => void } | undefined;
  let isClosing = false;
  const say = (waitedMs: number) =>
    log.warn({ event: 'nats-waiting', servers, waitedMs, reason: down?.reason }, 'waiting for NATS');
  const follow = async () => {
    for await (const status of connection.status()) {
      if (isClosing) continue;
      if (status.type === 'disconnect') {
        down ??= { reason: 'the connection is lost', stopReports: startWaitReports(say) };
      } else if (status.type === 'reconnect') {
        log.info({ event: 'nats-back', server: status.server }, 'NATS is back');
        down?.stopReports();
        down = undefined;
        for (const listener of listeners) listener();
      } else if (status.type === 'error') {
        if (status.error instanceof errors.PermissionViolationError) failed.abort(permissionRefusal(status.error));
        else if (down) down.reason = describeError(status.error);
      }
    }
  };
  follow().catch((error: unknown) => failed.abort(error));
  return {
    connection,
    publishInPlace,
    whyDown: () => (connection.isClosed() ? 'the connection is closed' : down?.reason),
    onReconnect(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    failed: failed.signal,
    async close() {
      isClosing = true;
      down?.stopReports();
      await connection.close();
    },
  };
}
