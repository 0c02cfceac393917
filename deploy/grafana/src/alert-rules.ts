import { readFileSync } from 'node:fs';

const source = new URL('../../prometheus/alerts.yaml', import.meta.url);
const head = `# Generated from deploy/prometheus/alerts.yaml by \`npm run dashboards\`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: fourfold
  labels: { app.kubernetes.io/name: fourfold }
spec:
`;

/** The alert rules in the Prometheus operator's form: contents of the file in deploy/k8s. */
export const prometheusRule = (): string => head + readFileSync(source, 'utf8').replaceAll(/^(?=.)/gm, '  ');

export const prometheusRulePath = new URL('../../k8s/components/monitoring/alert-rules.yaml', import.meta.url);
