import {
  claimTerm,
  createLogger,
  createTermGuard,
  FourfoldError,
  openStore,
  runStore,
  sha256,
  startServer,
  wire,
  type Register__Output,
  type RunConfig,
} from '@fourfold/common';
import { checkpointStore } from './checkpoint.js';
import { createExchange } from './exchange.js';
import { createLeaseBoard } from './lease-board.js';
import { createMaster } from './master.js';
import { createProgress } from './progress.js';
import { pruneCheckpoints, saveCheckpoint, startingPoint } from './run-checkpoints.js';
import { createCoordinatorService, type Answer, type Work } from './service.js';
import { train } from './train.js';

export interface CoordinatorOptions {
  config: RunConfig;
  /** host:port; port 0 takes a free one. */
  listen: string;
  /** Continue from the newest whole checkpoint, where there is one; without it a run that has any is refused. */
  resume: boolean;
  /** Aborted to stop early: the coordinator writes a checkpoint and rejects with the reason. */
  signal: AbortSignal;
}

/**
 * A coordinator's whole life: claim a term, restore, serve, train, and leave with a checkpoint. Resolves when the
 * schedule is done. Rejects with the signal's reason after an early stop, with `conflict` when a newer term took over.
 */
export async function runCoordinator({ config, listen, resume, signal }: CoordinatorOptions): Promise<void> {
  const log = createLogger('coordinator');
  const run = runStore(config);
  const datasetSha256 = sha256(await openStore(config.dataset).get('manifest.json'));
  const found = await startingPoint(run, config, datasetSha256, resume, log);
  const master = createMaster(config);
  const progress = createProgress(config);
  let kind: string | undefined;
  if (found) {
    await master.restore(checkpointStore(run, found.name), found.manifest);
    progress.restore(found.manifest.history);
    kind = found.manifest.workerKind;
    log.info({ event: 'resumed', checkpoint: found.name, iteration: found.manifest.iteration }, 'resumed');
  }

  const server = await startServer(listen);
  const { term } = await claimTerm(run, server.address);
  const guard = createTermGuard(run, term, config.timing.silenceMs);
  const exchange = await createExchange(config.exchange, term, master, log);
  const stop = new AbortController();
  let state = 'training';
  const board = createLeaseBoard<Work, Answer>(term, config.timing, log, () => guard.isFresh());
  const service = createCoordinatorService(
    {
      config,
      term,
      board,
      admit(register) {
        const problem = admissionProblem(register, kind, datasetSha256, config.workers.allowMixedKinds);
        if (!problem) kind ??= kindName(register);
        return problem;
      },
      exchange,
      status: () => progress.status(state, term, board.workerCount(), master.versions()),
      stop: (reason) => stop.abort(new FourfoldError('invalid', reason)),
    },
    log,
  );
  server.addService(wire.Coordinator.service, service.handlers);
  log.info({ event: 'listening', address: server.address, term }, 'listening');

  const timers = [
    setInterval(() => {
      service.heartbeat();
      board.replan();
    }, config.timing.heartbeatMs),
    setInterval(() => void guard.check().catch((error: unknown) => stop.abort(error)), config.timing.termCheckMs),
  ];
  const inState = async <T>(during: string, act: () => Promise<T>): Promise<T> => {
    const before = state;
    state = during;
    const result = await act();
    state = before;
    return result;
  };
  let savedIteration: number | undefined;
  const checkpoint = () =>
    inState('writing a checkpoint', async () => {
      // One of this iteration is there: writing over it would put it at risk for half an iteration at most.
      if (savedIteration === master.versions().generator) return;
      const facts = { run: config.name, term, config, seed: config.seed, datasetSha256, workerKind: kind ?? '' };
      const name = await saveCheckpoint(run, facts, master, progress.history(), () => guard.check());
      savedIteration = master.versions().generator;
      log.info({ event: 'checkpoint', checkpoint: name }, 'checkpoint written');
      await pruneCheckpoints(run, term, config.checkpoints.keep, progress.history());
    });
  try {
    const training = { config, master, board, exchange, progress, log, checkpoint, inState };
    await train(training, AbortSignal.any([signal, stop.signal]));
    state = 'finished';
    service.close('the run is finished');
  } catch (error) {
    state = 'stopped';
    if (signal.aborted) await checkpoint();
    throw error;
  } finally {
    timers.forEach(clearInterval);
    await server.close();
    await exchange.close();
    await master.close();
  }
}

const kindName = ({ kind }: Register__Output): string => JSON.stringify(kind);

function admissionProblem(
  register: Register__Output,
  kind: string | undefined,
  datasetSha256: string,
  allowMixedKinds: boolean,
): string | undefined {
  if (register.datasetSha256 !== datasetSha256)
    return 'the worker reads another dataset than the coordinator: give both the same config';
  if (kind && kind !== kindName(register) && !allowMixedKinds) {
    return `the run's workers are of kind ${kind}, this one is ${kindName(register)}: their bits differ; start it like the others (workers.backend, workers.threads) or set workers.allowMixedKinds`;
  }
  return undefined;
}
