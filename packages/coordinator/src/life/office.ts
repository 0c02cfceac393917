import { wire } from '@fourfold/rpc';
import type { Logger, Own } from '@fourfold/common';
import { createAdmission } from '../serve/admission.js';
import { createCheckpointSaver, type SavedCheckpoint } from '../updates/checkpoint-saver.js';
import { createCoordinatorMetrics } from '../metrics/coordinator-metrics.js';
import { createExchange } from '../exchange/exchange.js';
import { createFailures } from '../training/failures.js';
import { createHousekeeping } from './housekeeping.js';
import { createLeaseBoard } from '../leases/lease-board.js';
import type { Ports } from './open-ports.js';
import { createProgress } from '../training/progress.js';
import { iterationOf } from '@fourfold/store';
import { olderGenerator } from '../training/run-evaluation.js';
import type { RunEnd } from '../reports/figures.js';
import { openReports, type ReportOptions, type Reports } from '../reports/reports.js';
import { createEarlyEnd } from './early-end.js';
import { createRunState } from './run-state.js';
import { createCoordinatorService } from '../serve/service.js';
import type { Answer, Work } from '../serve/work.js';
import { createStatusRoutes } from '../status/status-routes.js';
import { statusNow, workerStatus, type CheckpointStatus, type StatusSource } from '../status/status.js';
import type { StartOptions, TakenOffice } from './take-office.js';
import type { FinishedUpdate } from '../training/train.js';
import { createValidationPictures } from '../status/validation-pictures.js';

export interface OfficeParts extends StartOptions, TakenOffice {
  ports: Ports;
  reportTo: ReportOptions;
  own: Own;
  log: Logger;
}

/** The parts of a coordinator in its term. `open` starts serving workers and watchers. */
export type Office = Awaited<ReturnType<typeof createOffice>>;

/**
 * Put the parts of a coordinator together. Serves nothing yet, and writes nothing. It is one long list, since parts refer to
 * each other: read it for what a coordinator is made of.
 */
// eslint-disable-next-line max-lines-per-function -- what a coordinator opens, in its order
export async function createOffice(parts: OfficeParts) {
  const { run, config, datasetSha256, term, guard, master, manifest, ports, reportTo, own, log } = parts;
  let saved: CheckpointStatus | undefined = parts.saved;
  const { timing, workers } = config;
  const state = createRunState();
  const housekeeping = createHousekeeping(log);
  let end: RunEnd = 'failed';
  let reports: Reports | undefined;
  const progress = createProgress(config, () => {
    pictures.refresh();
    reports?.look();
  });
  if (manifest) progress.restore(manifest.history);
  const iteration = master.versions().generator;
  const history = () => progress.history();
  const reportParts = { ...reportTo, run, config, iteration, history, end: () => end, housekeeping };
  const evaluations = () => progress.history().evaluations;
  const shown = config.validation?.pictures ?? 0;
  const { bestBy } = config.checkpoints;
  const pictures = createValidationPictures(run, shown, evaluations, () => guard.check(), housekeeping, bestBy);
  own(pictures, (pictures) => pictures.idle());
  // The workers belong to the successor at once: ending here may take as long as a store is away.
  const earlyEnd = createEarlyEnd((reason) => service.release(reason), log);
  const exchange = own(createExchange(config, ports.files, term, master, log, ports.security), (exchange) =>
    exchange.close(),
  );
  const board = createLeaseBoard<Work, Answer>(term, { timing, workers, mayGrant: () => guard.isFresh() }, log);
  const failures = createFailures({ board, stop: earlyEnd.stop, latelyMs: timing.patienceMs, log });
  const status = () => progress.status(state.now(), term, board.workerCount(), master.versions());
  const admission = createAdmission({ config, datasetSha256, kind: manifest?.workerKind, ports, exchange });
  const service = createCoordinatorService(
    { config, term, board, admit: admission.admit, exchange, status, failures },
    log,
  );
  const source: StatusSource = {
    config,
    run: status,
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
    brokenHops: () => exchange.bar.count(),
    hops: exchange.counts,
    housekeepingFailures: () => housekeeping.failures(),
  });
  const page = own(await createStatusRoutes(source, pictures), (page) => page.close());
  const saver = createCheckpointSaver({
    run,
    facts: () => ({ run: config.name, term, config, seed: config.seed, datasetSha256, workerKind: admission.kind() }),
    master,
    history: () => progress.history(),
    mayPublish: () => guard.check(),
    housekeeping,
    log,
    onSaved(written: SavedCheckpoint) {
      saved = { name: written.checkpoint, savedAtMs: Date.now() };
      void housekeeping.tend('metrics', () => metrics.checkpointSaved(written));
      log.info({ event: 'checkpoint', iteration: iterationOf(written.checkpoint), ...written }, 'checkpoint written');
    },
    onFailed(error) {
      metrics.checkpointFailed();
      earlyEnd.lose(error);
    },
  });
  const office = { board, failures, exchange, progress, housekeeping, state, service, saver, earlyEnd };
  return {
    ...parts,
    ...office,
    /** What the run had done when this term began. */
    begun: master.versions(),
    inState: state.during,
    checkpoint: (mayPostpone: boolean) => state.during('writing a checkpoint', () => saver.save(mayPostpone)),
    olderGenerator: (iteration: number) => olderGenerator(run, iteration, log),
    onUpdate(update: FinishedUpdate) {
      void housekeeping.tend('metrics', () => metrics.updated(update));
      reports?.look();
    },
    /** Say how the run ends, for the reports. */
    endAs(how: RunEnd) {
      end = how;
    },
    async open() {
      reports = own(await openReports(reportParts), (reports) => reports.close());
      pictures.refresh();
      ports.server.addService(wire.Coordinator.service, service.handlers);
      ports.server.addStream('worker', exchange.stream);
      const whyNotReady = () =>
        guard.isFresh() ? undefined : 'it has slept, and has not yet checked for a newer term';
      ports.http.show({ metrics, whyNotReady, routes: page.routes });
    },
  };
}
