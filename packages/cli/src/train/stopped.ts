import { checkpointStore, iterationOf, listCheckpoints, type ObjectStore } from '@fourfold/store';
import { totalIterations, type RunConfig } from '@fourfold/common';

/** What a user reads while a run stops. */
export const stopping = 'stopping: the coordinator writes a checkpoint; Ctrl-C again ends at once, without one';

/** What is saved of a run that was stopped, and the command that resumes it. */
export async function describeStop(run: ObjectStore, config: RunConfig, resume: string): Promise<string> {
  const newest = (await listCheckpoints(run)).at(-1);
  if (newest === undefined) return 'it stopped before its first checkpoint: the same command starts it again';
  const place = `iteration ${iterationOf(newest)} of ${totalIterations(config)} is saved in ${checkpointStore(run, newest).url}`;
  return `${place}\nresume with: ${resume}`;
}

/** `fourfold train` of a run again; settings that say where the run is are repeated, the others the run knows. `options` are not of the config. */
export function resumeCommand(path: string, settings: readonly string[], options: readonly string[]): string {
  const where = settings.filter((setting) => /^(name|store)=/.test(setting));
  return [...['fourfold', 'train', path, '--resume'], ...where.flatMap((setting) => ['--set', setting]), ...options]
    .map(quoted)
    .join(' ');
}

/** An argument as a shell takes it. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
