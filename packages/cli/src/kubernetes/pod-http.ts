import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { Duplex, PassThrough } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { KubeConfig, PortForward as Forwarding, V1Pod } from '@kubernetes/client-node';
import { FourfoldError, withDeadline } from '@fourfold/common';
import { PortForward } from './client.js';

/** Gets a path of a pod's HTTP server, at the container's port with the name `http`, as JSON. */
export type GetFromPod = (pod: V1Pod, path: string, deadlineMs: number) => Promise<unknown>;

/**
 * Asks pods the way `kubectl port-forward` does, through the API server and the pod's kubelet: a NetworkPolicy does not block
 * it, as it would the API server's proxy. Rejects with `unavailable` and the reason.
 */
export function createGetFromPod(kubeConfig: KubeConfig): GetFromPod {
  const forward = new PortForward(kubeConfig);
  return async (pod, path, deadlineMs) => {
    const port = pod.spec?.containers[0].ports?.find(({ name }) => name === 'http')?.containerPort ?? 0;
    const closing = new AbortController();
    try {
      const opened = openPort(forward, pod, port, closing.signal);
      const read = opened.then(async ({ socket, closed }) => Promise.race([getJson(socket, path), closed]));
      return await withDeadline(read, deadlineMs, () => {
        throw new Error(`no answer within ${deadlineMs / 1000} s`);
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : 'the API server did not open a connection';
      throw new FourfoldError('unavailable', `port ${port} of pod ${pod.metadata?.name}: ${reason}`, { cause });
    } finally {
      closing.abort();
    }
  };
}

/** A stream to a pod's port, and a promise that rejects when the other side closes it. */
async function openPort(forward: Forwarding, { metadata }: V1Pod, port: number, closing: AbortSignal) {
  const [toPod, fromPod, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const { namespace = '', name = '' } = metadata ?? {};
  // Without retries it is a web socket.
  const connection = (await forward.portForward(namespace, name, [port], fromPod, errors, toPod)) as WebSocket;
  const socket = Duplex.from({ readable: fromPod, writable: toPod });
  const closed = new Promise<never>((_, reject) => {
    errors.once('data', (said: Buffer) => reject(new Error(said.toString().trim())));
    connection.addEventListener('close', () => reject(new Error('the connection was closed')));
  });
  const close = () => {
    connection.close();
    socket.destroy();
  };
  if (closing.aborted) close();
  else closing.addEventListener('abort', close);
  return { socket, closed };
}

async function getJson(socket: Duplex, path: string): Promise<unknown> {
  const asked = request({ path, headers: { host: 'localhost' }, createConnection: () => socket });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`${path} was answered with ${response.statusCode}`);
  return json(response);
}
