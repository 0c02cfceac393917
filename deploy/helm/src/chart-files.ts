import { readFileSync } from 'node:fs';

/** An object of a chart, in the file `templates/FILE.yaml`. */
export interface Template {
  file: string;
  lines: readonly string[];
}

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const generated = '# Generated from deploy/k8s, which says why, by `npm run charts`.\n';

/** Files of templates by their paths in the chart. */
export function templatesOf(templates: readonly Template[]): [path: string, text: string][] {
  const files = new Map<string, string>();
  for (const { file, lines } of templates) {
    const path = `templates/${file}.yaml`;
    files.set(path, `${files.get(path) ?? generated}---\n${lines.join('\n')}\n`);
  }
  return [...files];
}

/** The Chart.yaml of a chart. */
export const chartYaml = (name: string, description: string): string => `${generated}apiVersion: v2
name: ${name}
description: ${description}
type: application
version: ${version}
appVersion: ${version}
kubeVersion: '>=1.33.0-0'
`;
