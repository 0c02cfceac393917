import { InvalidArgumentError } from 'commander';

/*
 * Names that Kubernetes accepts, checked before a cluster is asked.
 */

/** A Job's name and an index or five random characters must be a pod's name and a label of 63 characters. */
const longestRun = 40;
const longestLabel = 63;

/** Why a run on Kubernetes cannot have this name; undefined if it can. */
export function whyNoRunName(name: string): string | undefined {
  if (!/^[a-z0-9-]*$/.test(name)) return 'for Kubernetes it must be lower-case letters, digits and dashes';
  if (!/^[a-z].*[a-z0-9]$|^[a-z]$/.test(name)) {
    return 'for Kubernetes it must begin with a letter and not end with a dash';
  }
  return name.length > longestRun ? `for Kubernetes it must have at most ${longestRun} characters` : undefined;
}

/** What the name of a Job of `fourfold submit prepare` begins with, and the name of no run may. */
export const preparePrefix = 'prepare-';

/** Parsers for commander's arguments and options. */
export const runName = (text: string): string => checked(text, whyNoRunName(text));

export const namespaceName = (text: string): string =>
  checked(
    text,
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text) && text.length <= longestLabel
      ? undefined
      : `for Kubernetes it must be lower-case letters, digits and dashes inside, at most ${longestLabel}`,
  );

/** A queue's name, which is also used in a label. */
export const queueName = (text: string): string =>
  checked(
    text,
    /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(text) && text.length <= longestLabel
      ? undefined
      : `for Kubernetes it must be lower-case letters, digits, dots and dashes inside, at most ${longestLabel}`,
  );

function checked(text: string, reason: string | undefined): string {
  if (reason !== undefined) throw new InvalidArgumentError(`${reason[0].toUpperCase()}${reason.slice(1)}.`);
  return text;
}
