// Draws the dashboards from a Prometheus, roughly as Grafana shows them, without Grafana:
// npm run dashboards:draw -- --prometheus http://127.0.0.1:9090 --run NAME [--namespace NAME]
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { GlobalFonts } from '@napi-rs/canvas';
import sharp from 'sharp';
import { dashboardFiles } from './dashboards.js';
import type { DashboardJson } from './drawing/dashboard-json.js';
import { drawDashboard } from './drawing/draw-dashboard.js';

const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    namespace: { type: 'string', default: '.*' },
    run: { type: 'string', default: '.+' },
    minutes: { type: 'string', default: '60' },
    until: { type: 'string', default: new Date().toISOString() },
    rate: { type: 'string', default: '1m' },
    // By default the pictures of the docs are replaced.
    out: { type: 'string' },
  },
});

const docsImages = fileURLToPath(new URL('../../../docs/images', import.meta.url));
const family = 'DejaVu Sans';
const require = createRequire(import.meta.url);
for (const file of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']) {
  GlobalFonts.registerFromPath(require.resolve(`dejavu-fonts-ttf/ttf/${file}`), family);
}
const end = Math.floor(Date.parse(options.until) / 1000);
const seconds = Number(options.minutes) * 60;
const range = { start: end - seconds, end, step: Math.max(1, Math.round(seconds / 240)) };
for (const [name, text] of dashboardFiles) {
  const path = join(options.out ?? docsImages, `dashboard-${name.replace('.json', '.png')}`);
  const { namespace, run, rate, prometheus } = options;
  const picture = await drawDashboard(JSON.parse(text) as DashboardJson, {
    ...{ url: prometheus, namespace, run, range, rateInterval: rate, family },
  });
  const png = await sharp(picture).png({ palette: true, colours: 64 }).toBuffer();
  // Files in the user's folder are never overwritten.
  writeFileSync(path, png, { flag: options.out === undefined ? 'w' : 'wx' });
  console.log(path);
}
