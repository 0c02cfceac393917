import {
  createCoordinatorClient,
  startServer,
  wire,
  type Chunk,
  type CoordinatorHandlers,
  type CoordinatorMessage__Output,
  type ReplicaWork__Output,
  type RunningServer,
  type WorkerMessage,
} from '@fourfold/rpc';
import { forwardStream } from './forward-stream.js';

/**
 * A proxy between workers and their coordinator that reverses the order of arrival: it holds every half's answers until
 * all replicas have one, then forwards them from the last replica to the first.
 */
export async function startReversingProxy(
  coordinator: string,
  replicas: number,
): Promise<RunningServer & { reversals: () => number }> {
  const client = createCoordinatorClient(coordinator, 'bulk');
  const replicaOf = new Map<number, ReplicaWork__Output>();
  const held = new Map<string, { replica: number; pass: () => void }[]>();
  const reversed = new Set<string>();

  const hold = ({ iteration, network, replica }: ReplicaWork__Output, pass: () => void) => {
    const half = `${network} ${iteration}`;
    const answers = [...(held.get(half) ?? []), { replica, pass }];
    held.set(half, answers);
    if (answers.length < replicas) return;
    reversed.add(half);
    for (const answer of answers.sort((a, b) => b.replica - a.replica)) answer.pass();
  };

  const handlers: CoordinatorHandlers = {
    Join(call) {
      const upstream = client.Join();
      forwardStream<CoordinatorMessage__Output>(upstream, call, (message) => {
        const { lease } = message;
        if (lease?.token && lease.replica) replicaOf.set(lease.token.number, lease.replica);
        return message;
      });
      call.on('data', (message: WorkerMessage) => {
        const work = replicaOf.get(Number(message.gradientReady?.token?.number));
        const pass = () => upstream.write(message);
        if (work) hold(work, pass);
        else pass();
      });
      call.on('end', () => upstream.end());
      call.on('cancelled', () => upstream.cancel());
    },
    PullParameters: (call) => forwardStream<Chunk>(client.PullParameters(call.request), call),
    Watch: (call) => call.end(),
  };
  const server = await startServer('127.0.0.1:0');
  server.addService(wire.Coordinator.service, handlers);
  return { ...server, reversals: () => reversed.size };
}
