// Writes the generated files, the dashboards and the alerts for Kubernetes: `npm run dashboards`.
import { writeFileSync } from 'node:fs';
import { prometheusRule, prometheusRulePath } from './alert-rules.js';
import { dashboardFiles } from './dashboards.js';

for (const [name, text] of dashboardFiles) {
  writeFileSync(new URL(`../dashboards/${name}`, import.meta.url), text);
}
writeFileSync(prometheusRulePath, prometheusRule());
