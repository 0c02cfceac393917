import {
  checkConditionalPuts,
  createLogger,
  describeError,
  FourfoldError,
  logAbout,
  markRunEnd,
  openStore,
  readRpcSecurity,
  runStore,
  sha256,
  startPartServer,
  startServer,
  tryStore,
  unlessAborted,
  wire,
  type Logger,
  type RunConfig,
} from '@fourfold/common';
import { admissionProblem } from './admission.js';
import { createCheckpointSaver } from './checkpoint-saver.js';
import { createCoordinatorMetrics } from './coordinator-metrics.js';
import { createExchange } from './exchange.js';
import { createFailures } from './failures.js';
import { createLeaseBoard } from './lease-board.js';
import { createHousekeeping } from './housekeeping.js';
import { writeLastCheckpoint } from './last-checkpoint.js';
import { createProgress } from './progress.js';
import { iterationOf } from './retention.js';
import { checkRunPlace } from './run-place.js';
import { writeRunRecord } from './run-record.js';
import { createCoordinatorService, type Answer, type Work } from './service.js';
import { createStatusRoutes } from './status-routes.js';
import { statusNow, workerStatus, type CheckpointStatus, type StatusSource } from './status.js';
import { readStart, takeOffice } from './take-office.js';
import { train, type FinishedUpdate } from './train.js';
import { createValidationPictures } from './validation-pictures.js';
import { completedKind, parseKind } from './worker-kind.js';

export interface CoordinatorOptions {
  config: RunConfig;
  /** host:port; port 0 takes a free one. */
  listen: string;
  /** Where workers find it, if that is not where it listens. */
  advertise?: string;
  /** host:port of the status page and of `/metrics`; without it there is neither. */
  http?: string;
  /** Continue from the newest whole checkpoint, where there is one; without it a run that has any is refused. */
  resume: boolean;
  /** Aborted to stop early: the coordinator writes a checkpoint and rejects with the reason. */
  signal: AbortSignal;
}

/**
 * A coordinator's whole life: take office, serve, train, and leave with a checkpoint. Resolves when the
 * schedule is done. Rejects with the signal's reason after an early stop, with `conflict` when a newer term took over.
 */
export async function runCoordinator(options: CoordinatorOptions): Promise<void> {
  const { config, listen, advertise, http, resume, signal } = options;
  logAbout({ run: config.name });
  const log = createLogger('coordinator');
  const run = runStore(config);
  // A store that is away is waited for, but not by one that is told to stop.
  const orStopped = <T>(promise: Promise<T>): Promise<T> => unlessAborted(promise, signal);
  await orStopped(checkRunPlace(run));
  const datasetSha256 = sha256(await orStopped(openStore(config.dataset).get('manifest.json')));
  const startOptions = { run, config, datasetSha256, resume, log };
  const read = await orStopped(readStart(startOptions));
  await orStopped(tryStore(run, log));
  await orStopped(checkConditionalPuts(run));
  const security = readRpcSecurity(process.env);
  const server = await startServer(listen, { log, security });
  const ownAddress = advertise ?? server.address;
  const office = await orStopped(takeOffice(startOptions, read, ownAddress));
  const { term, guard, master, manifest, saved: found } = office;
  const progress = createProgress(config, () => pictures.refresh());
  if (manifest) progress.restore(manifest.history);
  const begun = master.versions();
  let kind = parseKind(manifest?.workerKind ?? '');
  let saved: CheckpointStatus | undefined = found;

  const housekeeping = createHousekeeping(log);
  await housekeeping.tend('record', () => writeRunRecord(run, { config, term, datasetSha256 }, () => guard.check()));
  // A term that was lost by then has failed at more than its housekeeping.
  await guard.check();
  const evaluations = () => progress.history().evaluations;
  const shown = config.validation?.pictures ?? 0;
  const pictures = createValidationPictures(run, shown, evaluations, () => guard.check(), housekeeping);
  pictures.refresh();
  const exchange = await createExchange(config.exchange, term, master, log);
  const stop = new AbortController();
  /** The term, or the store, is lost: nothing can be written any more that would count. */
  let isLost = false;
  const lose = (error: unknown) => {
    isLost = true;
    stop.abort(error);
    // The workers are the successor's, at once: to end here may take as long as a store is away.
    if (error instanceof FourfoldError && error.code === 'conflict') service.release(error.message);
  };
  // What goes wrong outside of the training loop ends it, too, with a checkpoint.
  const fault = (error: unknown) => {
    log.error({ event: 'fault', err: error }, 'a fault outside of the training loop');
    stop.abort(error);
  };
  let state = 'training';
  const { timing, workers } = config;
  const board = createLeaseBoard<Work, Answer>(term, { timing, workers, mayGrant: () => guard.isFresh() }, log);
  const failures = createFailures({
    board,
    stop: (error) => stop.abort(error),
    latelyMs: timing.patienceMs,
    log,
  });
  const service = createCoordinatorService(
    {
      config,
      term,
      board,
      admit(register) {
        const { allowMixedKinds } = config.workers;
        const problem = admissionProblem(register, { datasetSha256, kind, allowMixedKinds, ownAddress, security });
        const connection = problem ? { problem } : exchange.connect(register);
        // A worker that is refused says nothing about the others.
        if (!('problem' in connection)) kind = completedKind(kind, register.kind ?? {});
        return connection;
      },
      exchange,
      status: () => progress.status(state, term, board.workerCount(), master.versions()),
      failures,
    },
    log,
  );
  server.addService(wire.Coordinator.service, service.handlers);
  const source: StatusSource = {
    config,
    run: () => progress.status(state, term, board.workerCount(), master.versions()),
    history: () => progress.history(),
    workers: () => workerStatus(board.seated(), service.workers()),
    checkpoint: () => saved,
    pictures: () => pictures.views(),
  };
  const metrics = createCoordinatorMetrics({
    config,
    now: () => statusNow(source),
    history: () => progress.history(),
    leases: () => board.counts(),
    workersRefused: () => service.refused(),
    traffic: exchange.traffic,
    housekeepingFailures: () => housekeeping.failures(),
  });
  const status = await createStatusRoutes(source, pictures);
  const httpServer = await startPartServer({
    http,
    metrics,
    whyNotReady: () => (guard.isFresh() ? undefined : 'it has slept, and not yet looked for a newer term'),
    routes: status.routes,
    log,
  });
  log.info({ event: 'listening', address: server.address, term }, 'listening');

  const timers = [
    setInterval(() => {
      service.heartbeat();
      board.replan();
    }, config.timing.heartbeatMs),
    setInterval(() => void guard.check().catch(lose), config.timing.termCheckMs),
  ];
  const inState = async <T>(during: string, act: () => Promise<T>): Promise<T> => {
    const before = state;
    state = during;
    const result = await act();
    state = before;
    return result;
  };
  const saver = createCheckpointSaver({
    run,
    facts: () => ({
      run: config.name,
      term,
      config,
      seed: config.seed,
      datasetSha256,
      workerKind: JSON.stringify(kind),
    }),
    master,
    history: () => progress.history(),
    mayPublish: () => guard.check(),
    housekeeping,
    log,
    onSaved(written) {
      saved = { name: written.checkpoint, savedAtMs: Date.now() };
      void housekeeping.tend('metrics', () => metrics.checkpointSaved(written));
      log.info({ event: 'checkpoint', iteration: iterationOf(written.checkpoint), ...written }, 'checkpoint written');
    },
    onFailed(error) {
      metrics.checkpointFailed();
      lose(error);
    },
  });
  const checkpoint = () => inState('writing a checkpoint', () => saver.save());
  process.on('uncaughtException', fault);
  try {
    // Whatever the other run does from now on, this one has begun.
    if (config.startFrom !== undefined && !found) await checkpoint();
    const parts = { config, master, board, failures, exchange, progress, log, checkpoint, inState };
    const onUpdate = (update: FinishedUpdate) => void housekeeping.tend('metrics', () => metrics.updated(update));
    await train({ ...parts, onUpdate }, AbortSignal.any([signal, stop.signal]));
    await inState('writing a checkpoint', () => saver.settled());
    await markRunEnd(run, term, config, () => guard.check());
    state = 'finished';
    service.close('the run is finished');
  } catch (error) {
    state = 'stopped';
    if (error !== signal.reason) logEnd(log, error);
    const failure = await writeLastCheckpoint({ saver, master, begun, isLost, log });
    // Who asked for an early stop has to hear that it costs work; any other reason is why the run ended.
    throw error === signal.reason && failure ? failure : error;
  } finally {
    process.off('uncaughtException', fault);
    timers.forEach(clearInterval);
    await pictures.idle();
    status.close();
    await httpServer?.close();
    await server.close();
    await exchange.close();
    await master.close();
  }
}

/** Say why a run ends before its time; where a person cannot act on it, with the stack. */
function logEnd(log: Logger, error: unknown): void {
  const why = error instanceof FourfoldError ? { reason: describeError(error) } : { err: error };
  log.error({ event: 'run-ended', ...why }, 'the run ends before its time');
}
