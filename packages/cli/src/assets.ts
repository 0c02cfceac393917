import { fileURLToPath, pathToFileURL } from 'node:url';

/** The path of a file or folder that `scripts/build.mjs` puts into this package. The path is the same from src and dist. */
const assetPath = (path: string): string => fileURLToPath(new URL(`../dist/assets/${path}`, import.meta.url));

/** The folder of the example photographs: `train` and `held-out`. */
export const examplePhotographs = assetPath('photographs');

/** The URL of the bundled client for Kubernetes. */
export const kubernetesClientUrl = pathToFileURL(assetPath('kubernetes-client.js')).href;

/** A file of deploy/k8s. */
export const manifestPath = (file: string): string => assetPath(`k8s/${file}`);

/** The config of a benchmark. */
export const benchConfigPath = (name: string): string => assetPath(`bench/${name}.yaml`);

/** The checkpoint of a generator that comes with the command. */
export const modelFolder = (name: string): string => assetPath(`models/${name}`);
