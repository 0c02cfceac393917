import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findProgram, requireProgram } from '@fourfold/local-servers';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { chartFiles, chartsFolder } from './charts.js';
import { idOf, kustomized, type Manifest } from './kustomized.js';
import { lacks } from '../../../test/support/needs.mjs';

/*
 * The charts against Kustomize and by Helm's own checks. `npm run guide` installs them in a cluster.
 */

const found = findProgram('kustomize') !== undefined && findProgram('helm') !== undefined;

const helm = (...args: string[]): string =>
  execFileSync(requireProgram('helm'), args, { cwd: fileURLToPath(chartsFolder), encoding: 'utf8', stdio: 'pipe' });

/** The objects of a chart by what tells them apart. */
const objectsOf = (text: string) =>
  parseAllDocuments(text, { version: '1.1' })
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);

const byId = (objects: readonly Manifest[]) => new Map(objects.map((object) => [idOf(object), object]));

describe.skipIf(lacks('kubernetes', found))('charts (after npm run setup:servers -- kubernetes)', () => {
  test('their files are those that npm run charts writes', () => {
    const files = chartFiles();
    for (const [path, text] of files) expect(readFileSync(new URL(path, chartsFolder), 'utf8'), path).toBe(text);
    const templates = ['fourfold', 'fourfold-run'].flatMap((chart) => {
      const folder = `${chart}/templates/`;
      const names = readdirSync(new URL(folder, chartsFolder)).filter((name) => name.endsWith('.yaml'));
      return names.map((name) => folder + name);
    });
    expect(templates.sort()).toEqual([...files.keys()].filter((path) => path.includes('/templates/')).sort());
  });

  test.each([
    ['fourfold', 'fourfold', 'overlays/tls', []],
    ['fourfold', 'team-a', 'overlays/team', []],
    ['fourfold', 'fourfold', 'overlays/tls-files', ['tls=files']],
    ['fourfold', 'fourfold', 'base', ['tls=none']],
    ['fourfold', 'fourfold', 'namespace', ['tls=none', 'servers=false']],
    ['fourfold-run', 'fourfold', 'run', ['tls=false']],
    ['fourfold-run', 'fourfold', 'overlays/gpu', ['gpus=1']],
    ['fourfold-run', 'fourfold', 'overlays/kueue', ['gpus=1', 'queue=fourfold']],
  ])('%s in %s renders what Kustomize does of %s, with %j', (chart, namespace, path, values) => {
    const set = values.flatMap((value) => ['--set', value]);
    const rendered = objectsOf(helm('template', 'first', chart, '--namespace', namespace, ...set));
    // The one is Helm's to make, the other Kueue's administrator's.
    const others = ['Namespace', 'LocalQueue'];
    const expected = kustomized(path).filter(({ kind }) => !others.includes(kind));
    expect(byId(rendered)).toEqual(byId(expected));
  });

  test('a run has its own name, image, config, size and place', () => {
    const values = {
      image: 'registry.example/sr:1',
      config: 'name: "7"\nworkers: { threads: 2 }\n',
      workers: 3,
      dataLoaders: 0,
      ...{ cpu: 2, memory: '5Gi', nodeSelector: { disk: 'fast' }, imagePullSecrets: [{ name: 'registry' }] },
    };
    const set = Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]);
    const objects = byId(objectsOf(helm('template', '7', 'fourfold-run', '--namespace', 'team-a', ...set)));
    expect([...objects.keys()].sort()).toEqual([
      'ConfigMap 7-run',
      'Job 7-coordinator',
      'Job 7-worker',
      'PodDisruptionBudget 7-run',
      'Service 7-coordinator',
    ]);
    expect(objects.get('ConfigMap 7-run')).toMatchObject({
      metadata: { namespace: 'team-a', labels: { 'app.kubernetes.io/instance': '7' } },
      data: { 'run.yaml': values.config },
    });
    const resources = { requests: { cpu: '2', memory: '5Gi' }, limits: { memory: '5Gi' } };
    expect(objects.get('Job 7-worker')).toMatchObject({
      spec: {
        ...{ completions: 3, parallelism: 3 },
        template: {
          spec: {
            ...{ nodeSelector: values.nodeSelector, imagePullSecrets: values.imagePullSecrets },
            containers: [{ image: values.image, resources }],
          },
        },
      },
    });
  });

  test.each(['fourfold', 'fourfold-run'])('helm lint finds nothing in %s', (chart) => {
    expect(helm('lint', chart, '--strict')).toMatch(/0 chart\(s\) failed/);
  });

  test.each([
    ['fourfold', 'tls=cert', /tls/],
    ['fourfold-run', 'gpus=2', /gpus/],
    ['fourfold-run', 'worker=2', /worker/],
  ])('%s with %s is refused', (chart, value, reason) => {
    expect(() => helm('template', 'first', chart, '--set', value)).toThrow(reason);
  });

  test('a release with another name than its run is refused', () => {
    expect(() => helm('template', 'second', 'fourfold-run')).toThrow(
      /the release is second, and the config names the run first: give both one name/,
    );
  });
});
