import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubernetesObject, V1ConfigMap, V1Container, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';

/*
 * A rendered pod as a process of this machine, with the command, arguments, environment and mounts of the YAML. Only
 * what a cluster would provide differs: its own address, here one of the loopback interface, and folders for its
 * mounts.
 */

/** The state of a cluster. */
export interface PodWorld {
  /** All objects of the kustomization. */
  objects: readonly KubernetesObject[];
  /** By name: what each file holds. */
  secrets: Record<string, Record<string, string>>;
  /** By Service name: the address of its only pod. */
  services: Record<string, string>;
  /** Where mounts are made. */
  folder: string;
}

export interface PodProcess {
  command: string[];
  /** Exactly these. */
  environment: Record<string, string>;
  container: V1Container;
}

/** The template of a workload by kind and name. */
export function templateOf(objects: readonly KubernetesObject[], kind: string, name: string): V1PodTemplateSpec {
  const found = objects.find((object) => object.kind === kind && object.metadata?.name === name);
  if (!found) throw new Error(`${kind} ${name} does not exist`);
  return (found as unknown as { spec: { template: V1PodTemplateSpec } }).spec.template;
}

/** Make a pod's mounts; returns how to start its container's process. */
export async function podProcess(
  world: PodWorld,
  template: V1PodTemplateSpec,
  pod: { name: string; address: string },
): Promise<PodProcess> {
  const spec = template.spec as V1PodSpec;
  const [container] = spec.containers;
  const mounts = new Map(
    (container.volumeMounts ?? []).map(({ mountPath }) => [mountPath, join(world.folder, pod.name, mountPath)]),
  );
  const local = createTranslation(world, pod.address, mounts);
  for (const { mountPath, name } of container.volumeMounts ?? []) {
    const folder = mounts.get(mountPath) as string;
    await mkdir(folder, { recursive: true });
    for (const [path, text] of Object.entries(filesOf(world, spec, name))) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), path.endsWith('.conf') ? local(text) : text);
    }
  }
  const environment = environmentOf(world, container, pod.address);
  const command = [...(container.command ?? []), ...(container.args ?? [])].map((text) =>
    local(expand(text, environment)),
  );
  const translated = Object.entries(environment).map(([name, value]) => [name, local(value)]);
  return { command, environment: Object.fromEntries(translated) as Record<string, string>, container };
}

/** Replace paths and addresses of the YAML by this machine's, in one pass. */
function createTranslation({ services }: PodWorld, address: string, mounts: ReadonlyMap<string, string>) {
  const paths = [...mounts.keys()].sort((a, b) => b.length - a.length);
  const names = Object.keys(services);
  const pattern = new RegExp(
    `(${paths.join('|')})(?=[/"]|$)|\\b(${names.join('|')})(?=:)|0\\.0\\.0\\.0(?=:)|(?<==)(?=:\\d)`,
    'g',
  );
  return (text: string): string =>
    text.replaceAll(pattern, (_, path?: string, service?: string) => {
      if (path !== undefined) return mounts.get(path) as string;
      return service === undefined ? address : services[service];
    });
}

/** A volume's files by their paths in it. */
function filesOf({ objects, secrets }: PodWorld, { volumes = [] }: V1PodSpec, name: string): Record<string, string> {
  const volume = volumes.find((one) => one.name === name);
  const { configMap, secret } = volume ?? {};
  const source = configMap
    ? configMapData(objects, configMap.name as string)
    : secret
      ? secrets[secret.secretName as string]
      : {};
  const items = (configMap ?? secret)?.items ?? Object.keys(source).map((key) => ({ key, path: key }));
  return Object.fromEntries(
    items.map(({ key, path }) => {
      if (source[key] === undefined) throw new Error(`volume ${name} needs ${key}, which is missing`);
      return [path, source[key]];
    }),
  );
}

function configMapData(objects: readonly KubernetesObject[], name: string): Record<string, string> {
  const found = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata?.name === name) as V1ConfigMap;
  return found.data ?? {};
}

function environmentOf(
  { objects, secrets }: PodWorld,
  container: V1Container,
  address: string,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom ?? []) {
    Object.assign(environment, configMapData(objects, configMapRef?.name as string));
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const { fieldRef, secretKeyRef } = valueFrom ?? {};
    if (fieldRef && fieldRef.fieldPath !== 'status.podIP')
      throw new Error(`${name}: unknown field ${fieldRef.fieldPath}`);
    environment[name] = fieldRef
      ? address
      : secretKeyRef
        ? secrets[secretKeyRef.name as string][secretKeyRef.key]
        : expand(value as string, environment);
  }
  return environment;
}

/** Expand `$(NAME)` as Kubernetes does: in commands, and in the values of variables defined after NAME. */
const expand = (text: string, environment: Record<string, string>): string =>
  text.replaceAll(/\$\((\w+)\)/g, (_, name: string) => environment[name]);
