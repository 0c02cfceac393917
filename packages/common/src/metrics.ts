import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HttpRoute } from './http-server.js';

/** Values by their labels; a number alone for a metric without labels, undefined where nothing is known yet. */
export type Readings = number | undefined | readonly (readonly [labels: Record<string, string>, value: number])[];

/** Every value that each label may have. */
export type LabelValues = Readonly<Record<string, readonly string[]>>;

/** Take a duration down. */
export type ObserveSeconds<Labels extends LabelValues> = (
  labels: { [Name in keyof Labels]: Labels[Name][number] },
  seconds: number,
) => void;

/**
 * The metrics of a process, as Prometheus scrapes them. Counters and gauges are read at a scrape, from what the process
 * knows anyway; histograms alone are told.
 */
export interface Metrics {
  counter: (name: string, help: string, labels: readonly string[], read: () => Readings) => void;
  gauge: (name: string, help: string, labels: readonly string[], read: () => Readings | Promise<Readings>) => void;
  seconds: <const Labels extends LabelValues>(name: string, help: string, labels: Labels) => ObserveSeconds<Labels>;
  /** Answers a scrape. */
  readonly route: HttpRoute;
}

/** From Adam on a small network to a step of minutes. */
const bucketsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The metrics of a process that works for a run, which is a label of all of them; prom-client's own are among them. */
export function createMetrics(run: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  registry.setDefaultLabels({ run });
  collectDefaultMetrics({ register: registry });
  return {
    counter(name, help, labelNames, read) {
      const counter: Counter = new Counter({
        name,
        help,
        registers,
        labelNames: [...labelNames],
        collect() {
          counter.reset();
          for (const [labels, value] of pairsOf(read())) counter.inc(labels, value);
        },
      });
    },
    gauge(name, help, labelNames, read) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        registers,
        labelNames: [...labelNames],
        async collect() {
          const pairs = pairsOf(await read());
          gauge.reset();
          // A gauge that is reset would say 0.
          if (labelNames.length === 0) gauge.remove();
          for (const [labels, value] of pairs) gauge.set(labels, value);
        },
      });
    },
    seconds(name, help, labels) {
      const options = { name, help, registers, labelNames: Object.keys(labels), buckets: bucketsSeconds };
      const histogram: Histogram = new Histogram(options);
      for (const each of combinations(labels)) histogram.zero(each);
      return (of, seconds) => histogram.observe(of as Record<string, string>, seconds);
    },
    async route(_, response) {
      const text = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' });
      response.end(text);
    },
  };
}

/** Readings of a label that says which one of several states is the case: 1 for that one, 0 for the others. */
export const stateReadings = (label: string, states: readonly string[], current: string): Readings =>
  states.map((state) => [{ [label]: state }, state === current ? 1 : 0]);

function pairsOf(readings: Readings): readonly (readonly [labels: Record<string, string>, value: number])[] {
  if (readings === undefined) return [];
  return typeof readings === 'number' ? [[{}, readings]] : readings;
}

const combinations = (labels: LabelValues): Record<string, string>[] =>
  Object.entries(labels).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((before) => values.map((value) => ({ ...before, [name]: value }))),
    [{}],
  );
