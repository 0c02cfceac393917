import { namespaceChart } from './namespace-chart.js';
import { runChart } from './run-chart.js';

/** The folder of the charts. */
export const chartsFolder = new URL('../', import.meta.url);

/** The generated files of both charts, by their paths in the folder. Needs Kustomize: throws `not-found` without it. */
export function chartFiles(): Map<string, string> {
  const charts = { fourfold: namespaceChart(), 'fourfold-run': runChart() };
  return new Map(
    Object.entries(charts).flatMap(([name, files]) => [...files].map(([path, text]) => [`${name}/${path}`, text])),
  );
}
