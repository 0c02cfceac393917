import {
  asOfMachine,
  configDifferences,
  createLogger,
  failureCode,
  FourfoldError,
  isOfSystem,
  logAbout,
  unlessAborted,
  withResources,
  type Logger,
  type Own,
} from '@fourfold/common';
import { markRunEnd, readRunRecord, writeRunRecord } from '@fourfold/store';
import { isOfSuccessor, logEarlyEnd } from './life/early-end.js';
import { examineRun } from './life/examine-run.js';
import { writeLastCheckpoint } from './life/last-checkpoint.js';
import { createOffice, type Office } from './life/office.js';
import { openPorts, type PortOptions } from './life/open-ports.js';
import { takeOffice } from './life/take-office.js';
import { checkReports, type ReportOptions } from './reports/reports.js';
import { train } from './training/train.js';

export interface CoordinatorOptions extends PortOptions, ReportOptions {
  /**
   * Resume from the newest intact checkpoint, if there is one. Without this option a run that has checkpoints is
   * refused.
   */
  resume: boolean;
  /** Aborted to stop early: the coordinator writes a checkpoint and rejects with the reason. */
  signal: AbortSignal;
}

/**
 * A coordinator's whole life: examine the run, open the ports, take office, train, and leave with a checkpoint.
 * Resolves at the end of the schedule. Rejects with the signal's reason after an early stop, with `conflict` if a newer
 * term took over.
 */
export async function runCoordinator(options: CoordinatorOptions): Promise<void> {
  const { config, resume, tensorboard, mlflow, signal } = options;
  logAbout({ run: config.name });
  const log = createLogger('coordinator');
  await checkReports({ tensorboard, mlflow });
  await withResources(async (own) => {
    const { options: start, start: read } = await examineRun(config, resume, signal, log);
    // One master at a time: where a newer checkpoint has come, `takeOffice` closes the one that was read.
    const held = own({ master: read.master }, ({ master }) => master.close());
    const ports = await openPorts(options, read.master.networks, own, log);
    const taken = await unlessAborted(takeOffice(start, read, ports.address), signal);
    held.master = taken.master;
    try {
      const office = await createOffice({ ...start, ...taken, ports, reportTo: { tensorboard, mlflow }, own, log });
      await recordRun(office);
      await office.open();
      log.info({ event: 'listening', address: ports.server.address, term: taken.term }, 'listening');
      watchOver(office, own);
      await trainToItsEnd(office, signal, log);
    } catch (error) {
      throw isDeniedHere(error) ? asOfMachine(error) : error;
    }
  });
}

/** Once the term is claimed, which takes a write, a permission that this machine lacks is not the user’s mistake. */
const isDeniedHere = (error: unknown): boolean =>
  failureCode(error) === 'denied' && isOfSystem(error instanceof FourfoldError ? error.options.cause : error);

/**
 * Write the run's record, which also checks that nobody has taken over since the claim, and log what it changes in the config of
 * a resumed run.
 */
async function recordRun({ run, config, term, datasetSha256, guard, housekeeping, saved, log }: Office): Promise<void> {
  const mayPublish = () => guard.check();
  await housekeeping.tend('record', async () => {
    const before = await readRunRecord(run);
    const changes = before && saved ? configDifferences(before.config, config) : [];
    if (changes.length > 0) {
      log.info(
        { event: 'config-changed', since: before?.term, changes },
        'the config differs from that of the term before',
      );
    }
    await writeRunRecord(run, { config, term, datasetSha256 }, mayPublish);
  });
  // If the term is lost by now, more than housekeeping has failed.
  await guard.check();
}

/** Timers, and failures outside the training loop. */
function watchOver({ config, service, board, guard, earlyEnd }: Office, own: Own): void {
  const { heartbeatMs, termCheckMs } = config.timing;
  const beat = () => {
    service.heartbeat();
    board.replan();
  };
  own(setInterval(beat, heartbeatMs), clearInterval);
  own(
    setInterval(() => void guard.check().catch(earlyEnd.lose), termCheckMs),
    clearInterval,
  );
  process.on('uncaughtException', earlyEnd.fault);
  own(earlyEnd.fault, (fault) => process.off('uncaughtException', fault));
}

async function trainToItsEnd(office: Office, signal: AbortSignal, log: Logger): Promise<void> {
  const { config, run, term, guard, master, saver, saved, state, service, earlyEnd, begun } = office;
  try {
    // From now on this run does not depend on the runs that it started from.
    if ((config.startFrom ?? config.discriminatorFrom) !== undefined && !saved) await office.checkpoint(false);
    await train(office, AbortSignal.any([signal, earlyEnd.signal]));
    await state.during('writing a checkpoint', () => saver.settled());
    await markRunEnd(run, term, config, () => guard.check());
    state.set('finished');
    office.endAs('finished');
    log.info({ event: 'run-over', iteration: master.versions().generator }, 'the run is finished');
    service.close('the run is finished');
  } catch (error) {
    state.set('stopped');
    if (isOfSuccessor(error)) office.endAs('superseded');
    else if (error === signal.reason) office.endAs('stopped');
    if (error !== signal.reason) logEarlyEnd(log, error);
    const failure = await writeLastCheckpoint({ saver, master, begun, isLost: earlyEnd.isLost(), log });
    // A user who asked for an early stop must hear that it costs work; any other reason is why the run ended.
    throw error === signal.reason && failure ? failure : error;
  }
}
