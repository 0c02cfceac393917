import {
  createCoordinatorClient,
  createWorkerClient,
  startServer,
  wire,
  type Chunk,
  type CoordinatorHandlers,
  type CoordinatorMessage,
  type RunningServer,
  type WorkerHandlers,
  type WorkerMessage,
} from '@fourfold/rpc';
import { forwardStream } from './forward-stream.js';

export interface Corruption {
  /** Changes a worker's message on its way to the coordinator. */
  message?: (message: WorkerMessage) => WorkerMessage;
  /** Changes a chunk of a gradient. */
  chunk?: (chunk: Chunk) => Chunk;
}

/** A proxy between one worker and its coordinator that corrupts messages and gradients. */
export async function startCorruptingProxy(
  coordinator: string,
  { message: changeMessage = (message) => message, chunk: changeChunk = (chunk) => chunk }: Corruption,
): Promise<RunningServer> {
  const client = createCoordinatorClient(coordinator, 'bulk');
  const server = await startServer('127.0.0.1:0');
  let workerAddress = '';

  const coordinatorSide: CoordinatorHandlers = {
    Join(call) {
      const upstream = client.Join();
      forwardStream<CoordinatorMessage>(upstream, call);
      call.on('data', (message: WorkerMessage) => {
        const { register } = message;
        if (register) workerAddress = String(register.exchangeAddress);
        upstream.write(
          changeMessage(register ? { register: { ...register, exchangeAddress: server.address } } : message),
        );
      });
      call.on('end', () => upstream.end());
      call.on('cancelled', () => upstream.cancel());
    },
    PullParameters: (call) => forwardStream<Chunk>(client.PullParameters(call.request), call),
    Watch: (call) => call.end(),
  };
  const workerSide: WorkerHandlers = {
    PullGradient(call) {
      const worker = createWorkerClient(workerAddress);
      const upstream = worker.PullGradient(call.request);
      forwardStream(upstream, call, changeChunk);
      upstream.on('close', () => worker.close());
    },
  };
  server.addService(wire.Coordinator.service, coordinatorSide);
  server.addService(wire.Worker.service, workerSide);
  return server;
}
