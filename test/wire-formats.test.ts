import {
  createCoordinatorClient,
  createViewVector,
  createWireVector,
  startServer,
  wire,
  type Register__Output,
  type Welcome__Output,
} from '@fourfold/rpc';
import { createLogger, parseRunConfig } from '@fourfold/common';
import { createExchange, createMaster, openParameterFiles } from '@fourfold/coordinator';
import { networkWires } from '@fourfold/weights';
import { createWorkerExchange } from '@fourfold/worker';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freezeAt, frozenAt, thaw } from './support/freeze/freeze.js';
import { expectFinished, killAll } from './support/process.js';
import {
  prepareSmallRuns,
  referenceWeights,
  startCoordinator,
  startPart,
  startWorkers,
  weightsOf,
  type SmallRuns,
  type Weights,
} from './support/small-run.js';

/*
 * A run fixes how vectors are encoded; their transport and the number of workers do not matter.
 */

const isLinux = process.platform === 'linux';

let runs: SmallRuns;
let plain: Weights;
beforeAll(async () => {
  runs = await prepareSmallRuns();
  plain = await referenceWeights();
});
afterEach(killAll);
afterAll(() => runs.remove());

/** Train a small run to its end; returns its weights. */
async function train(name: string, exchange: string, workers: number) {
  const run = await runs.create(name, `exchange: { ${exchange} }\n`);
  const coordinator = startCoordinator(run);
  startWorkers(run, workers);
  await expectFinished(coordinator);
  return weightsOf(run);
}

const formats = {
  rounded: 'gradients: bf16, sums: bf16, parameters: bf16',
  factored: 'denseGradient: factors, parameters: int8',
};
type Format = keyof typeof formats;

const trained = new Map<Format, Promise<Weights>>();
/** The weights of a run in a format by gRPC with two workers: it runs once. */
function weightsIn(format: Format): Promise<Weights> {
  const weights = trained.get(format) ?? train(`${format}-grpc`, `transport: grpc, ${formats[format]}`, 2);
  trained.set(format, weights);
  return weights;
}

test.each(['rounded', 'factored'] as const)(
  'in another format (%s) the weights are the same in another way and for another number of workers',
  async (format) => {
    const weights = await weightsIn(format);
    expect(weights.discriminator).not.toBe(plain.discriminator);
    const way = isLinux ? 'shared-memory' : 'stream';
    expect(await train(`${format}-alone`, `transport: ${way}, ${formats[format]}`, 1)).toEqual(weights);
  },
);

test('with factors and deltas by stream: stopped between the halves, killed, resumed, with workers that join meanwhile', async () => {
  const weights = await weightsIn('factored');
  const exchange = `transport: stream, ${formats.factored}`;
  const run = await runs.create('disturbed', `exchange: { ${exchange} }\n`);
  const [early, firstHalf, later] = [
    { event: 'update', network: 'generator', iteration: 1 },
    { event: 'update', network: 'discriminator', iteration: 4 },
    { event: 'update', network: 'discriminator', iteration: 6 },
  ];
  const coordinator = startPart('coordinator', run, freezeAt(runs.folder, early, firstHalf));
  startWorkers(run, 1);
  await frozenAt(coordinator, early);
  const [joiner] = startWorkers(run, 1);
  await joiner.waitFor(({ event }) => event === 'started', 'its start');
  thaw(coordinator);
  await frozenAt(coordinator, firstHalf);
  coordinator.child.kill('SIGTERM');
  thaw(coordinator);
  expect(await coordinator.exit).toEqual({ code: 143, signal: null });
  const successor = startPart('coordinator', run, freezeAt(runs.folder, later), '--resume');
  await frozenAt(successor, later);
  successor.child.kill('SIGKILL');
  await successor.exit;
  const last = startCoordinator(run, '--resume');
  await expectFinished(last);
  expect(await weightsOf(run)).toEqual(weights);
});

describe.each(isLinux ? (['grpc', 'stream', 'shared-memory'] as const) : (['grpc', 'stream'] as const))(
  'parameters by %s',
  (transport) => {
    test.each(['f32', 'bf16', 'int8'] as const)(
      'in %s reach a worker, and an evaluation in float32',
      async (parameters) => {
        const config = parseRunConfig(
          {
            name: 'formats',
            dataset: 'd',
            generator: { channels: 5, blocks: 1 },
            loss: { content: 'mse' },
            phases: [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }],
            exchange: { transport, parameters },
          },
          'test',
        );
        const log = createLogger('test');
        const master = createMaster(config);
        const { vector } = master.state('generator');
        master.retainGenerator();
        const files = await openParameterFiles(config.exchange, master.networks, log);
        const exchange = createExchange(config, files, 1, master, log);
        const worker = await createWorkerExchange(config, log);
        const server = await startServer('127.0.0.1:0');
        server.addService(wire.Coordinator.service, { ...exchange.handlers });
        server.addStream('worker', exchange.stream);
        const client = createCoordinatorClient(server.address, 'bulk');
        const register = { ...worker.register, exchangeAddress: '127.0.0.1:1' } as unknown as Register__Output;
        const connected = exchange.connect(register);
        if ('problem' in connected) throw new Error(connected.problem);
        // A message leaves no bytes undefined.
        const welcome = { term: 1, streamSecret: new Uint8Array(), ...connected.welcome } as unknown as Welcome__Output;
        const options = {
          address: server.address,
          silenceMs: 5_000,
          signal: new AbortController().signal,
          onSilent: () => undefined,
        };
        const source = worker.welcomed(welcome, client, options);
        const changing = () => undefined;
        try {
          await exchange.publish();
          const { parameters: layout, deltas } = networkWires(config).generator;
          const expected = createWireVector(layout);
          const fetched = deltas ? createViewVector(deltas) : createWireVector(layout);
          expected.vector.set(vector);
          expected.encode();
          expected.decode();
          await source.fetch('generator', 0, fetched, { changing });
          expect([...fetched.vector]).toEqual([...expected.vector]);
          const exact = new Float32Array(new SharedArrayBuffer(vector.byteLength));
          await source.fetchEvaluated(0, exact);
          expect([...exact]).toEqual([...vector]);
          expect(fetched.vector.some((value, i) => value !== exact[i])).toBe(parameters === 'bf16');
          // The two sides' counts agree with the bytes sent.
          const pulled = (transport === 'shared-memory' ? 0 : layout.byteLength) + vector.byteLength;
          const by = transport === 'grpc' ? 'grpc' : 'stream';
          expect([exchange.traffic.parameters[by], worker.traffic.parameters[by]]).toEqual([pulled, pulled]);
          if (!deltas) return;
          // Who holds the version before gets deltas, another the whole view.
          const joiner = createViewVector(deltas);
          master.state('generator').sum.forEach((_, i, sum) => (sum[i] = Math.sin(i)));
          await master.update('generator', 1e-4);
          await exchange.publish();
          await source.fetch('generator', 1, fetched, { held: 0, changing });
          await source.fetch('generator', 1, joiner, { changing });
          const { view } = master.state('generator');
          expect([...fetched.vector]).toEqual([...(view?.vector ?? [])]);
          expect([...joiner.vector]).toEqual([...fetched.vector]);
          expect(worker.traffic.parameters[by] - pulled).toBe(
            transport === 'shared-memory' ? 0 : deltas.byteLength + layout.byteLength,
          );
          expect(exchange.traffic.parameters[by]).toBe(worker.traffic.parameters[by]);
        } finally {
          await source.close();
          connected.close();
          client.close();
          await server.close();
          await worker.close();
          await exchange.close();
          await files.close();
          await master.close();
        }
      },
    );
  },
);
