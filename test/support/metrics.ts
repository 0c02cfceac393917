import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { requireProgram } from '@fourfold/local-servers';

/** A value in Prometheus, and its labels. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** Evaluate an expression in Prometheus; returns a sample for each series. */
export async function query(prometheusUrl: string, expression: string): Promise<Sample[]> {
  const response = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const answer = (await response.json()) as {
    error?: string;
    data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  if (!answer.data) throw new Error(`${expression}: ${answer.error}`);
  return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
}

/** What a process answers at a path. */
export async function get(address: string, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${address}${path}`);
  return { status: response.status, text: await response.text() };
}

const nameOf = (line: string): string => /^(?:# (?:HELP|TYPE) )?(\w+)/.exec(line)?.[1] ?? '';

/** The metrics of a process that are fourfold's own. */
export const ownMetrics = (text: string): string =>
  text
    .split('\n')
    .filter((line) => nameOf(line).startsWith('fourfold_'))
    .map((line) => `${line}\n`)
    .join('');

/** Names and labels of the series in a text of metrics. */
export function seriesOf(text: string): { name: string; labels: Record<string, string> }[] {
  const series = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return series.map((line) => {
    const labels = [...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]);
    return { name: nameOf(line), labels: Object.fromEntries(labels) as Record<string, string> };
  });
}

/** Run `promtool check metrics` on a text of metrics; returns its output and exit code. */
export const checkMetrics = (text: string): Promise<{ code: number | null; said: string }> =>
  runPromtool(['check', 'metrics'], text);

/** Run promtool; returns its output and exit code. */
export async function runPromtool(args: string[], input = ''): Promise<{ code: number | null; said: string }> {
  const promtool = spawn(requireProgram('promtool'), args);
  let said = '';
  for (const stream of [promtool.stdout, promtool.stderr])
    stream.on('data', (part: Buffer) => (said += part.toString()));
  promtool.stdin.end(input);
  const [code] = (await once(promtool, 'close')) as [number | null];
  return { code, said };
}
