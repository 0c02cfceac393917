import { InvalidArgumentError } from 'commander';
import { labels as ownLabels } from './labels.js';

/*
 * Options for the pods of a run, written as kubectl's users write them. They are checked here: without a cluster (`--dry-run=client`)
 * nobody else does.
 */

export interface Toleration {
  key: string;
  operator: 'Equal' | 'Exists';
  value?: string;
  effect?: string;
}

/** `labels`, `priorityClass` and `imagePullSecrets` are for all pods; the others for workers. */
export interface PodOptions {
  nodeSelector?: Record<string, string>;
  tolerations?: readonly Toleration[];
  /** The node selector and the tolerations are for the other pods, too. */
  placeAllPods?: boolean;
  /** CPUs that a worker requests. */
  cpu?: string;
  /** Memory that a worker requests, and its limit. */
  memory?: string;
  priorityClass?: string;
  imagePullSecrets?: readonly string[];
  /** Also for the objects themselves. */
  labels?: Record<string, string>;
}

const longestName = 63;
const longestPrefix = 253;
const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

const isLabelName = (text: string): boolean =>
  text.length <= longestName && /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(text);

const isDomain = (text: string): boolean =>
  text.length <= longestPrefix && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text);

const isLabelValue = (text: string): boolean => text === '' || isLabelName(text);

/** `name`, or `example.com/name`. */
function isLabelKey(text: string): boolean {
  const [name, prefix, ...more] = text.split('/').reverse();
  return more.length === 0 && isLabelName(name) && (prefix === undefined || isDomain(prefix));
}

/** Collect `KEY=VALUE`, or several with commas, from an option that may be repeated. */
export function collectPairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const pairs = { ...before };
  for (const pair of text.split(',')) {
    const [key, value, ...more] = pair.split('=');
    if (value === undefined || more.length > 0) throw new InvalidArgumentError('It must be KEY=VALUE.');
    checkPair(key, value);
    if (key in pairs && pairs[key] !== value) {
      throw new InvalidArgumentError(`${key} is given twice, as ${pairs[key]} and as ${value}.`);
    }
    pairs[key] = value;
  }
  return pairs;
}

function checkPair(key: string, value: string): void {
  if (!isLabelKey(key)) {
    throw new InvalidArgumentError(
      `${key || 'An empty text'} is not a label’s key: letters, digits, dashes, dots and underscores, with an optional domain and a slash before them.`,
    );
  }
  if (!isLabelValue(value)) {
    throw new InvalidArgumentError(
      `${value} is not a label’s value: at most ${longestName} letters, digits, dashes, dots and underscores.`,
    );
  }
}

const reserved =
  /^(app\.kubernetes\.io\/(name|instance|component)|(batch\.kubernetes\.io\/)?(job-name|controller-uid))$/;

/** Collect labels as `collectPairs` does, except for those that have a meaning here. */
export function collectLabels(text: string, before?: Record<string, string>): Record<string, string> {
  const pairs = collectPairs(text, before);
  for (const key of Object.keys(pairs)) {
    if (reserved.test(key)) throw new InvalidArgumentError(`${key} is set by fourfold and Kubernetes.`);
    if (key === ownLabels.queue) throw new InvalidArgumentError(`${key} is set by --queue.`);
  }
  return pairs;
}

/**
 * Collect tolerations, each written as the taint that it tolerates, as in `kubectl taint`: `KEY=VALUE:EFFECT`. Without a value any value
 * is tolerated, without an effect every effect.
 */
export function collectTolerations(text: string, before: readonly Toleration[] = []): Toleration[] {
  const [, key, value, effect] = /^([^=:]+)(?:=([^=:]*))?(?::([^=:]*))?$/.exec(text) ?? [];
  if (key === undefined) throw new InvalidArgumentError('It must be KEY, KEY:EFFECT, KEY=VALUE or KEY=VALUE:EFFECT.');
  checkPair(key, value ?? '');
  if (effect !== undefined && !effects.includes(effect)) {
    throw new InvalidArgumentError(`${effect || 'An empty effect'} is not an effect: ${effects.join(', ')}.`);
  }
  const operator = value === undefined ? { operator: 'Exists' as const } : { operator: 'Equal' as const, value };
  return [...before, { key, ...operator, ...(effect !== undefined && { effect }) }];
}

/** CPUs, as Kubernetes writes them. */
export function cpuQuantity(text: string): string {
  if (/^(\d+(\.\d+)?|\d+m)$/.test(text) && parseFloat(text) > 0) return text;
  throw new InvalidArgumentError('It must be CPUs such as 4, 1.5 or 500m.');
}

/** Bytes, as Kubernetes writes them. Its `m` for thousandths is refused: it is only ever a mistake for `M`. */
export function memoryQuantity(text: string): string {
  if (/^\d+(\.\d+)?([KMGTPE]i|[kMGTPE])?$/.test(text) && parseFloat(text) > 0) return text;
  throw new InvalidArgumentError('It must be bytes such as 16Gi, 512Mi or 16G.');
}

/** The name of a Secret, a PriorityClass or a volume claim. */
export function objectName(text: string): string {
  if (isDomain(text)) return text;
  throw new InvalidArgumentError('It must be lower-case letters, digits, dots and dashes inside.');
}

/** Collect names from an option that may be repeated. */
export const collectNames = (text: string, before: readonly string[] = []): string[] => [...before, objectName(text)];
