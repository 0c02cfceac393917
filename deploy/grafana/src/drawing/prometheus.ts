/** A series of a range query: its labels, and its value at each time (ms). */
export interface Series {
  labels: Record<string, string>;
  points: { x: number; y: number }[];
}

/** A time range in seconds since 1970, and the step between values in seconds. */
export interface TimeRange {
  start: number;
  end: number;
  step: number;
}

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
}

/** Query an expression over a time range. Rejects with Prometheus's own message. */
export async function queryRange(url: string, expression: string, { start, end, step }: TimeRange): Promise<Series[]> {
  const asked = new URL('/api/v1/query_range', url);
  asked.search = new URLSearchParams({
    query: expression,
    ...{ start: String(start), end: String(end), step: String(step) },
  }).toString();
  const { status, error, data } = (await (await fetch(asked)).json()) as Answer;
  if (status !== 'success') throw new Error(`${expression}: ${error}`);
  return data.result.map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([time, value]) => ({ x: time * 1000, y: Number(value) })),
  }));
}
