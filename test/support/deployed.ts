import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const deploy = new URL('../../deploy/', import.meta.url);

export const alertsPath = fileURLToPath(new URL('prometheus/alerts.yaml', deploy));
export const alertTestsPath = fileURLToPath(new URL('prometheus/alerts.test.yaml', deploy));

/** The alert rules with times short enough for a test: ten minutes become ten seconds. */
export const hastyAlerts = (): string =>
  readFileSync(alertsPath, 'utf8')
    .replaceAll('[1h:1m]', '[60s:1s]')
    .replaceAll(/\[(\d+)m\]/g, '[$1s]')
    .replaceAll(/for: \d+m/g, 'for: 1s')
    .replaceAll('3600', '6');

interface DashboardJson {
  annotations?: { list?: { name: string; expr?: string }[] };
  panels: { title: string; targets?: { expr: string }[] }[];
}

/**
 * Every expression of the dashboards, with Grafana's variables filled in: any run, no namespaces, and rates over ten
 * seconds.
 */
export const dashboardExpressions = (): [where: string, expression: string][] =>
  readdirSync(new URL('grafana/dashboards/', deploy)).flatMap((file) => {
    const text = readFileSync(new URL(`grafana/dashboards/${file}`, deploy), 'utf8');
    const { annotations, panels } = JSON.parse(text) as DashboardJson;
    const shown = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr]));
    const marked = (annotations?.list ?? []).flatMap(({ name, expr }) => (expr ? [[name, expr]] : []));
    return [...shown, ...marked].map(([title, expr]): [string, string] => [
      `${file}: ${title}`,
      expr.replaceAll('$namespace', '').replaceAll('$run', '.+').replaceAll('$__rate_interval', '10s'),
    ]);
  });
