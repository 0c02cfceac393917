import { conditionalYaml, guarded, type Fill } from './conditional-yaml.js';
import { chartYaml, templatesOf, type Template } from './chart-files.js';
import { changed, idOf, kustomized, type Manifest } from './kustomized.js';

/*
 * The chart `fourfold-run`: deploy/k8s/run with its components, under the release's name.
 */

const container = ['spec', 'template', 'spec', 'containers', 0] as const;
const pod = ['spec', 'template', 'spec'] as const;

/** The generated files by their paths in the chart. */
export function runChart(): Map<string, string> {
  const byId = (objects: readonly Manifest[]) => new Map(objects.map((object) => [idOf(object), object]));
  const gpuImage = imageOf(kustomized('overlays/gpu').find(({ kind }) => kind === 'Job') as Manifest);
  const withGpus = kustomized('run', ['gpu']).map((object) =>
    object.kind === 'Job' ? changed(object, [...container, 'image'], gpuImage) : object,
  );
  const versions = [
    { when: '.Values.tls', objects: byId(kustomized('run', ['run-tls'])) },
    { when: '.Values.gpus', objects: byId(withGpus) },
    { when: '.Values.queue', objects: byId(kustomized('run', ['kueue'])) },
  ];
  const objects = kustomized('run');
  const templates = objects.map((object): Template => {
    const file = object.metadata.name.replace(/^first-/, '');
    const own = versions.map(({ when, objects }) => ({ when, value: objects.get(idOf(object)) }));
    const lines = conditionalYaml(object, [...own, ...options(object)], fillOf(object));
    if (object.kind === 'ConfigMap') return { file: 'config', lines: [...checks, ...lines] };
    return { file, lines: isJob(object, 'data-loader') ? guarded('.Values.dataLoaders', lines) : lines };
  });
  return new Map([
    ['Chart.yaml', chartYaml('fourfold-run', 'A run of fourfold in a namespace that the chart fourfold has prepared')],
    ['values.yaml', valuesYaml(objects)],
    ...templatesOf(templates),
  ]);
}

const isJob = (object: Manifest, role: string): boolean =>
  object.kind === 'Job' && object.metadata.name === `first-${role}`;

const imageOf = (job: Manifest): string => /"image":"([^"]+)"/.exec(JSON.stringify(job))?.[1] as string;

/** What is in no manifest unless it is asked for. */
const options = (object: Manifest) => [
  ...(object.kind === 'Job' ? [option(object, 'imagePullSecrets')] : []),
  ...(isJob(object, 'worker') ? [option(object, 'nodeSelector')] : []),
];

const option = (object: Manifest, key: string) => ({
  when: `.Values.${key}`,
  value: changed(object, [...pod, key], 'asked for'),
});

/** Of an object, by the last keys of its paths. */
function fillOf(object: Manifest): Fill {
  const fills: Record<string, (value: unknown) => string> = {
    namespace: () => '{{ .Release.Namespace | quote }}',
    image: (image) => `{{ .Values.image | default "${String(image)}" | quote }}`,
    imagePullSecrets: () => '{{ toJson .Values.imagePullSecrets }}',
    nodeSelector: () => '{{ toJson .Values.nodeSelector }}',
    'kueue.x-k8s.io/queue-name': () => '{{ .Values.queue | quote }}',
    'run.yaml': () => '{{ toJson .Values.config }}',
  };
  const ofWorkers: typeof fills = {
    completions: () => '{{ .Values.workers }}',
    parallelism: () => '{{ .Values.workers }}',
    cpu: (cpu) => `{{ .Values.cpu | default "${String(cpu)}" | quote }}`,
    memory: (memory) => `{{ .Values.memory | default "${String(memory)}" | quote }}`,
  };
  const ofLoaders: typeof fills = { parallelism: () => '{{ .Values.dataLoaders }}' };
  const all = {
    ...fills,
    ...(isJob(object, 'worker') && ofWorkers),
    ...(isJob(object, 'data-loader') && ofLoaders),
  };
  return (path, value) => {
    const [, more] = /^first(-[a-z-]+)?$/.exec(String(value)) ?? [undefined, undefined];
    if (value === 'first') return '{{ .Release.Name | quote }}';
    return more === undefined ? all[path.at(-1) as string]?.(value) : `"{{ .Release.Name }}${more}"`;
  };
}

/** `submit` finds a run by its name in the config, and its parts by that of their labels. */
const checks = [
  '{{- $config := fromYaml .Values.config }}',
  '{{- if $config.Error }}{{ fail (printf "config is not YAML: %s" $config.Error) }}{{ end }}',
  '{{- if ne (toString $config.name) .Release.Name }}',
  '{{- fail (printf "the release is %s, and the config names the run %v: give both one name" .Release.Name $config.name) }}',
  '{{- end }}',
];

function valuesYaml(objects: readonly Manifest[]): string {
  const config = objects.find(({ kind }) => kind === 'ConfigMap') as Manifest & { data: Record<string, string> };
  const workers = objects.find((object) => isJob(object, 'worker')) as Manifest & { spec: { parallelism: number } };
  const loaders = objects.find((object) => isJob(object, 'data-loader')) as typeof workers;
  return `# Generated from deploy/k8s by \`npm run charts\`.
# The run's config as text. Its name must be the release's.
config: |
${config.data['run.yaml'].replaceAll(/^(?=.)/gm, '  ')}# ${imageOf(workers)} unless it is set; with a GPU its tag ends with cuda.
image: ''
# Such as [{ name: registry }].
imagePullSecrets: []
workers: ${workers.spec.parallelism}
# 0 where the config has no batches.from: nats.
dataLoaders: ${loaders.spec.parallelism}
# Per worker: 1, or 0 for CPUs.
gpus: 0
# That a worker requests: CPUs, without a GPU one for each of workers.threads, and memory, which is then also its limit.
cpu: ''
memory: ''
# Labels of the nodes for workers.
nodeSelector: {}
# The certificates in the Secrets fourfold-ROLE-tls.
tls: true
# A LocalQueue of Kueue.
queue: ''
`;
}
