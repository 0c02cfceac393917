import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createLogger, type ExchangeConfig } from '@fourfold/common';
import {
  createSharedFile,
  openSharedFile,
  protocolVersion,
  randomStreamSecret,
  secretStamp,
  wireFormats,
  type OwnFile,
  type StreamRequest,
} from '@fourfold/rpc';
import { plainLayout } from '@fourfold/weights';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createExchange, type Exchange } from './exchange.js';
import { openParameterFiles, type ParameterFiles } from './parameter-files.js';
import { lacks } from '../../../../test/support/needs.mjs';

const folder = '/dev/shm';
const log = createLogger('test');
log.level = 'silent';
const said = vi.spyOn(log, 'info');
const versions = { generator: 7, discriminator: 0 };
const master = {
  networks: ['generator' as const],
  versions: () => versions,
  state: () =>
    ({ wire: new Uint8Array(12), wires: { parameters: plainLayout(3) } }) as ReturnType<
      Parameters<typeof createExchange>[3]['state']
    >,
  updater: { encodeParameters: async () => undefined },
  arriving: () => undefined,
  serve: () => undefined,
  serveDeltas: () => undefined,
  serveEvaluated: () => undefined,
};
const transportOf = (connected: ReturnType<Exchange['connect']>) =>
  'problem' in connected ? connected.problem : connected.transport;

const formats = { gradients: 'f32', sums: 'f32', parameters: 'f32', denseGradient: 'matrix' } as const;

/** The fields of a worker's Register that the exchange reads. */
const registerWith = (hostCheck: OwnFile['place'] | null, hostSecret: ReturnType<typeof secretStamp> | null) => ({
  protocolVersion,
  run: 'run',
  kind: null,
  exchangeAddress: '127.0.0.1:1',
  ...{ datasetSha256: '', config: '' },
  machine: '0'.repeat(32),
  hostCheck,
  hostSecret,
  formats: wireFormats(formats),
  streamSecret: Buffer.alloc(0),
});

let check: OwnFile;
const secret = secretStamp();
let files: ParameterFiles | undefined;
const open = async (transport: 'auto' | 'grpc' | 'shared-memory') => {
  const config = { transport, folder, route: 'star', ...formats } as const;
  files = await openParameterFiles(config, master.networks, log);
  return createExchange({ exchange: config }, files, 3, master, log);
};

describe.skipIf(lacks('linux', process.platform === 'linux'))('on Linux', () => {
  beforeEach(async () => {
    check = await createSharedFile(folder);
    await check.write(secret, new Uint8Array());
    said.mockClear();
  });
  afterEach(async () => {
    await check.close();
    await files?.close();
  });

  test.each([
    ['finds the secret', 'auto', () => registerWith(check.place, secret), 'shared-memory', 0],
    ['finds another secret', 'auto', () => registerWith(check.place, secretStamp()), 'grpc', 1],
    ['finds no such process', 'auto', () => registerWith({ pid: 2 ** 30, descriptor: 1 }, secret), 'grpc', 1],
    ['is given no file', 'auto', () => registerWith(null, null), 'grpc', 1],
    ['is told to use gRPC', 'grpc', () => registerWith(check.place, secret), 'grpc', 0],
  ] as const)('a coordinator that %s (%s)', async (_, transport, register, expected, lines) => {
    const connected = (await open(transport)).connect(register());
    expect(transportOf(connected)).toBe(expected);
    expect(said).toHaveBeenCalledTimes(lines);
    if ('problem' in connected) return;
    expect(connected.welcome.sharedMemory).toBe(expected === 'shared-memory');
    expect(connected.welcome.parameters).toHaveLength(expected === 'shared-memory' ? 1 : 0);
    connected.close();
  });

  test('a coordinator that insists on shared memory refuses a worker of another host', async () => {
    const connected = (await open('shared-memory')).connect(registerWith(check.place, secretStamp()));
    expect(transportOf(connected)).toBe('exchange.transport is shared-memory, but the worker is on another host');
  });

  test.each<[Partial<ExchangeConfig>, string]>([
    [{ gradients: 'bf16' }, 'exchange.gradients bf16, this coordinator with exchange.gradients f32'],
    [{ sums: 'bf16' }, 'exchange.sums bf16, this coordinator with exchange.sums f32'],
    [
      { parameters: 'bf16', denseGradient: 'factors' },
      'exchange.parameters bf16, exchange.denseGradient factors, this coordinator with exchange.parameters f32, exchange.denseGradient matrix',
    ],
  ])('a worker of other formats is refused: %o', async (other, says) => {
    const register = { ...registerWith(check.place, secret), formats: wireFormats({ ...formats, ...other }) };
    expect(transportOf((await open('auto')).connect(register))).toBe(
      `the worker was started with ${says}: give both the same config`,
    );
  });

  test('parameters are published once a version, and only while somebody reads them', async () => {
    const opened = await open('auto');
    await opened.publish();
    expect(opened.traffic.parameters['shared-memory']).toBe(0);
    const connected = opened.connect(registerWith(check.place, secret));
    if ('problem' in connected) throw new Error(connected.problem);
    await opened.publish();
    await opened.publish();
    expect(opened.traffic.parameters['shared-memory']).toBe(12);
    const [{ file: place }] = connected.welcome.parameters as { file: OwnFile['place'] }[];
    const file = await openSharedFile(place);
    expect([file.holds({ term: 3, number: 7 }), file.holds({ term: 2, number: 7 })]).toEqual([true, false]);
    await file.close();
    connected.close();
  });

  test('shared memory that is full: parameters are pulled from then on, which is logged once', async () => {
    const script = `
      import { createSharedFile, secretStamp, wireFormats } from '${new URL('../../../rpc/dist/index.js', import.meta.url).href}';
      import { createExchange, openParameterFiles } from '${new URL('../../dist/index.js', import.meta.url).href}';
      const [check, secret] = [await createSharedFile('${folder}'), secretStamp()];
      await check.write(secret, new Uint8Array());
      let version = 0;
      const state = () => ({ wire: new Uint8Array(400_000) });
      const updater = { encodeParameters: async () => undefined };
      const master = { networks: ['generator'], versions: () => ({ generator: version }), state, updater };
      const formats = ${JSON.stringify(formats)};
      const said = [];
      const log = { info: ({ reason }) => said.push(reason) };
      const config = { transport: 'auto', folder: '${folder}', ...formats };
      const files = await openParameterFiles(config, master.networks, log);
      const exchange = createExchange({ exchange: config }, files, 1, master, log);
      const register = {
        exchangeAddress: '127.0.0.1:1',
        hostCheck: check.place,
        hostSecret: secret,
        formats: wireFormats(formats),
        streamSecret: new Uint8Array(),
      };
      const offered = [];
      for (; version < 3; version++) {
        const { transport, welcome, close } = exchange.connect(register);
        offered.push([transport, welcome.parameters.length]);
        await exchange.publish();
        close();
      }
      console.log(JSON.stringify({ offered, said, traffic: exchange.traffic.parameters }));
    `;
    const args = ['-c', 'ulimit -f 128; exec "$@"', '-', process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('bash', args);
    expect(JSON.parse(stdout)).toEqual({
      offered: [
        ['shared-memory', 1],
        ['shared-memory', 0],
        ['shared-memory', 0],
      ],
      said: [expect.stringMatching(/has no room for 400000 bytes/)],
      traffic: { 'shared-memory': 0, stream: 0, grpc: 0 },
    });
  });
});

test('a secret is good for parameters, for as long as its worker has a seat', async () => {
  const serving = { ...master, serve: () => ({ vector: new Float32Array(3), stillValid: () => true }) };
  files = await openParameterFiles({ transport: 'stream', folder, ...formats }, master.networks, log);
  const exchange = createExchange(
    { exchange: { transport: 'stream', route: 'star', folder, ...formats } },
    files,
    3,
    serving,
    log,
  );
  const register = { ...registerWith(null, null), streamSecret: Buffer.from(randomStreamSecret()) };
  const [leaving, staying] = [exchange.connect(register), exchange.connect(register)];
  if ('problem' in leaving || 'problem' in staying) throw new Error('refused');
  const ask = ({ welcome }: typeof leaving, kind: StreamRequest['kind'], term = 3) =>
    exchange.stream({ kind, secret: welcome.streamSecret as Uint8Array, term, number: 7, begin: 0, silenceMs: 1000 });
  expect(ask(leaving, 'generator')).toMatchObject({ bytes: { byteLength: 12 } });
  expect([ask(leaving, 'gradient'), ask(leaving, 'generator', 2)]).toEqual(['absent', 'gone']);
  leaving.close();
  // Somebody who has heard it shows it again.
  expect(ask(leaving, 'generator')).toBe('stranger');
  expect(ask(staying, 'generator')).toMatchObject({ bytes: { byteLength: 12 } });
  const unknown = { kind: 'generator', secret: randomStreamSecret(), term: 3, number: 7, begin: 0 } as const;
  expect(exchange.stream({ ...unknown, silenceMs: 1000 })).toBe('stranger');
  await exchange.close();
});

test('route auto: a chain for as long as two workers of other hosts have a seat on the bulk stream', async () => {
  files = await openParameterFiles({ transport: 'stream', folder, ...formats }, master.networks, log);
  const config = { transport: 'stream', route: 'auto', folder, ...formats } as const;
  const exchange = createExchange({ exchange: config }, files, 3, master, log);
  const register = { ...registerWith(null, null), streamSecret: Buffer.from(randomStreamSecret()) };
  const routes = [exchange.route()];
  const told: string[] = [];
  const connections = [1, 2].map((worker) => {
    const connected = exchange.connect(register);
    if ('problem' in connected) throw new Error(connected.problem);
    connected.seated(worker, ({ from }) => told.push(`${worker} from ${from?.worker ?? 'the coordinator'}`));
    routes.push(exchange.route());
    return connected;
  });
  await exchange.publish();
  expect(told.splice(0)).toEqual(['1 from the coordinator', '2 from 1']);
  // What has been announced before its commit is not announced again, unless it broke off.
  versions.generator = 6;
  const breaksOff = exchange.publishEarly('generator');
  versions.generator = 7;
  await exchange.publish();
  expect(told.splice(0)).toEqual(['1 from the coordinator', '2 from 1']);
  breaksOff();
  await exchange.publish();
  expect(told).toEqual(['1 from the coordinator', '2 from 1']);
  connections[1].close();
  expect([...routes, exchange.route()]).toEqual(['star', 'star', 'chain', 'star']);
  connections[0].close();
  await exchange.close();
});
