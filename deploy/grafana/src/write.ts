// Writes the dashboards' JSON, which is checked in: `npm run dashboards`.
import { writeFileSync } from 'node:fs';
import { dashboardFiles } from './dashboards.js';

for (const [name, text] of dashboardFiles) {
  writeFileSync(new URL(`../dashboards/${name}`, import.meta.url), text);
}
