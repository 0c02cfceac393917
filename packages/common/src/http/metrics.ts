import { createRequire } from 'node:module';
import type { Counter, Gauge, Histogram } from 'prom-client';
import type { HttpRoute } from './http-server.js';

/** Values by their labels; a single number for a metric without labels, undefined if no value is known yet. */
export type Readings = number | undefined | readonly (readonly [labels: Record<string, string>, value: number])[];

/** All values of each label. */
export type LabelValues = Readonly<Record<string, readonly string[]>>;

/** Record a duration. */
export type ObserveSeconds<Labels extends LabelValues> = (
  labels: { [Name in keyof Labels]: Labels[Name][number] },
  seconds: number,
) => void;

/**
 * The metrics of a process, as Prometheus scrapes them. Counters and gauges are read from the process's state at each scrape; only
 * histograms are updated as it runs.
 */
export interface Metrics {
  counter: (name: string, help: string, labels: readonly string[], read: () => Readings) => void;
  gauge: (name: string, help: string, labels: readonly string[], read: () => Readings | Promise<Readings>) => void;
  seconds: <const Labels extends LabelValues>(name: string, help: string, labels: Labels) => ObserveSeconds<Labels>;
  /** Answers a scrape. */
  readonly route: HttpRoute;
}

/** From Adam on a small network to a step that takes minutes. */
const bucketsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

const require = createRequire(import.meta.url);

/** Create the metrics of a process, all labelled with its run; they include prom-client's default metrics. */
export function createMetrics(run: string): Metrics {
  // Loaded when a process has metrics: few have.
  const client = require('prom-client') as typeof import('prom-client');
  const registry = new client.Registry();
  const registers = [registry];
  registry.setDefaultLabels({ run });
  client.collectDefaultMetrics({ register: registry });
  return {
    counter(name, help, labelNames, read) {
      const counter: Counter = new client.Counter({
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
      const gauge: Gauge = new client.Gauge({
        name,
        help,
        registers,
        labelNames: [...labelNames],
        async collect() {
          const pairs = pairsOf(await read());
          gauge.reset();
          // A gauge that was only reset would report 0.
          if (labelNames.length === 0) gauge.remove();
          for (const [labels, value] of pairs) gauge.set(labels, value);
        },
      });
    },
    seconds(name, help, labels) {
      const options = { name, help, registers, labelNames: Object.keys(labels), buckets: bucketsSeconds };
      const histogram: Histogram = new client.Histogram(options);
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

/** Readings of a metric for the current one of several states: 1 for that state, 0 for the others. */
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
