import { conditionalYaml, guarded, type Fill } from './conditional-yaml.js';
import { chartYaml, templatesOf, type Template } from './chart-files.js';
import { changed, idOf, kustomized, type Manifest } from './kustomized.js';

/*
 * The chart `fourfold`: what deploy/k8s/base and its overlays with TLS put into a namespace, but not the Namespace itself, in which Helm keeps its release.
 */

const secured = 'ne .Values.tls "none"';

/** The generated files by their paths in the chart. */
export function namespaceChart(): Map<string, string> {
  const ofNamespace = new Set(kustomized('namespace').map(idOf));
  const plain = new Map(kustomized('base').map((object) => [idOf(object), object]));
  const withFiles = new Map(kustomized('overlays/tls-files').map((object) => [idOf(object), object]));
  const templates = kustomized('overlays/tls')
    .filter(({ kind }) => kind !== 'Namespace')
    .map((object): Template => {
      const id = idOf(object);
      const own = plain.get(id);
      const file = fileOf(object);
      if (!own) return { file, lines: guarded('eq .Values.tls "cert-manager"', conditionalYaml(object, [], fill)) };
      const lines = conditionalYaml(own, [{ when: secured, value: withFiles.get(id) }, ...options(own)], fill);
      return { file, lines: ofNamespace.has(id) ? lines : guarded('.Values.servers', lines) };
    });
  return new Map([
    [
      'Chart.yaml',
      chartYaml('fourfold', 'Accounts, NetworkPolicies, NATS and MinIO of a namespace for runs of fourfold'),
    ],
    ['values.yaml', valuesYaml([...plain.values()])],
    ...templatesOf(templates),
  ]);
}

/** What is in no manifest unless it is asked for. */
function options(object: Manifest) {
  const option = (value: string, path: (string | number)[]) => ({
    when: `.Values.${value}`,
    value: changed(object, path, 'asked for'),
  });
  switch (idOf(object)) {
    case 'StatefulSet fourfold-minio':
      return [option('storageClass', ['spec', 'volumeClaimTemplates', 0, 'spec', 'storageClassName'])];
    case 'ConfigMap fourfold-environment':
      return [
        option('s3Region', ['data', 'FOURFOLD_S3_REGION']),
        option('s3Credentials', ['data', 'FOURFOLD_S3_CREDENTIALS']),
      ];
    default:
      return [];
  }
}

/** By the last key of their paths. */
const fills: Record<string, (value: string) => string> = {
  namespace: () => '{{ .Release.Namespace | quote }}',
  image: (image) => `{{ .Values.images.${serverOf(image)} | quote }}`,
  storage: () => '{{ .Values.storage | quote }}',
  storageClassName: () => '{{ .Values.storageClass | quote }}',
  FOURFOLD_NATS_URL: (url) => `{{ .Values.natsUrl | default "${url}" | quote }}`,
  FOURFOLD_S3_ENDPOINT: (url) => `{{ .Values.s3Endpoint | default "${url}" | quote }}`,
  FOURFOLD_S3_REGION: () => '{{ .Values.s3Region | quote }}',
  FOURFOLD_S3_CREDENTIALS: () => '{{ .Values.s3Credentials | quote }}',
};

const fill: Fill = (path, value) => {
  if (typeof value !== 'string') return undefined;
  const [, host] = /^(\S+)\.fourfold\.svc$/.exec(value) ?? [];
  return host ? `"${host}.{{ .Release.Namespace }}.svc"` : fills[path.at(-1) as string]?.(value);
};

const serverOf = (image: string): string => (/(^|\/)nats:/.test(image) ? 'nats' : 'minio');

function fileOf(object: Manifest): string {
  if (object.kind === 'NetworkPolicy') return 'network-policies';
  if (object.apiVersion.startsWith('cert-manager.io/')) return 'certificates';
  const [, server] = /^fourfold-(nats|minio|environment)$/.exec(object.metadata.name) ?? [];
  return server ?? 'access';
}

function valuesYaml(objects: readonly Manifest[]): string {
  const found = (pattern: RegExp) => pattern.exec(JSON.stringify(objects))?.[1] as string;
  return `# Generated from deploy/k8s by \`npm run charts\`.
# cert-manager makes the certificates; files: they are in the Secrets fourfold-ROLE-tls; none: plain text.
tls: cert-manager
# NATS and MinIO. Without them name yours, put their keys into the Secret fourfold-access, and add a NetworkPolicy for egress to them.
servers: true
natsUrl: ''
s3Endpoint: ''
s3Region: ''
# web-identity (IRSA) or container (EKS Pod Identity): the keys of the pods' cloud role instead of the Secret's.
s3Credentials: ''
images:
  nats: ${found(/"image":"((?:[^"]*\/)?nats:[^"]+)"/)}
  minio: ${found(/"image":"((?:[^"]*\/)?minio:[^"]+)"/)}
# Of MinIO; without a class, the cluster's default one.
storage: ${found(/"storage":"([^"]+)"/)}
storageClass: ''
`;
}
