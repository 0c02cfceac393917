import { checkpointStore, iterationOf, listCheckpoints, type ObjectStore } from '@fourfold/store';
import { describeError, FourfoldError, totalIterations, withDeadline, type RunConfig } from '@fourfold/common';

/** What a user reads while a run stops. */
export const stopping = 'stopping: the coordinator writes a checkpoint; Ctrl-C again ends at once, without one';

/** How long a user who has stopped a run waits for a store that is away. */
const listMs = 10_000;

/** What is saved of a run that was stopped, and the command that resumes it. Never rejects: the reason of the end is the stop. */
export async function describeStop(
  run: ObjectStore,
  config: RunConfig,
  resume: string,
  deadlineMs = listMs,
): Promise<string> {
  try {
    const names = await withDeadline(listCheckpoints(run), deadlineMs, () => {
      throw new FourfoldError('unavailable', `${run.url} does not answer`);
    });
    return describeSaved(run, config, names.at(-1), resume);
  } catch (error) {
    return `what is saved is not known: ${describeError(error)}\nresume with: ${resume}`;
  }
}

function describeSaved(run: ObjectStore, config: RunConfig, newest: string | undefined, resume: string): string {
  if (newest === undefined) return 'it stopped before its first checkpoint: the same command starts it again';
  const place = `iteration ${iterationOf(newest)} of ${totalIterations(config)} is saved in ${checkpointStore(run, newest).url}`;
  return `${place}\nresume with: ${resume}`;
}

/** The commands that put a finished run to work. */
export const describeNext = (run: string): string =>
  ['evaluate --images DIR', 'upscale small.jpg large.png']
    .map((command) => `next: fourfold ${command} --checkpoint ${quoted(run)}`)
    .join('\n');

/** Settings that say where the run is, or without which the file may not be a valid config. */
const repeated = /^(name|store|recipe|dataset|vgg)=/;

/** `fourfold train` of a run again, without the settings that the run knows. `options` are not of the config. */
export function resumeCommand(path: string, settings: readonly string[], options: readonly string[]): string {
  const where = settings.filter((setting) => repeated.test(setting));
  return [...['fourfold', 'train', path, '--resume'], ...where.flatMap((setting) => ['--set', setting]), ...options]
    .map(quoted)
    .join(' ');
}

/** An argument as a shell takes it. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
