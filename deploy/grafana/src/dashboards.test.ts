import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { prometheusRule, prometheusRulePath } from './alert-rules.js';
import { dashboardFiles } from './dashboards.js';

const folder = new URL('../dashboards/', import.meta.url);

test('the JSON matches the sources (npm run dashboards writes it)', () => {
  expect(readdirSync(folder).sort()).toEqual([...dashboardFiles.keys()].sort());
  for (const [name, text] of dashboardFiles) expect(readFileSync(new URL(name, folder), 'utf8')).toBe(text);
});

test('the alerts for Kubernetes match those for Prometheus (npm run dashboards writes them)', () => {
  expect(readFileSync(prometheusRulePath, 'utf8')).toBe(prometheusRule());
});

test('every panel has a description, and queries only the chosen run of the chosen namespace', () => {
  for (const text of dashboardFiles.values()) {
    const { panels } = JSON.parse(text) as {
      panels: { type: string; title: string; description?: string; targets: { expr: string }[] }[];
    };
    const shown = panels.filter(({ type }) => type !== 'row');
    expect(shown.length).toBeGreaterThan(8);
    for (const { title, description, targets } of shown) {
      expect(description, title).toMatch(/\.$/);
      for (const { expr } of targets) {
        const metrics = expr.match(/\b(fourfold|process)_\w+/g) ?? [];
        expect(metrics.length, expr).toBeGreaterThan(0);
        expect(expr.match(/\{namespace=~"\$namespace", run=~"\$run"/g), expr).toHaveLength(metrics.length);
      }
    }
  }
});
