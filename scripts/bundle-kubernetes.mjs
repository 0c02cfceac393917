// Bundles what the command uses of @kubernetes/client-node into one file: its thousand modules would take each `fourfold submit`
// or `status` a second of CPU, and their packages 60 MB of an installation. The licences of all that is inside are beside it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Where the build puts it; packages/cli/src/kubernetes/client.ts loads it. */
export const kubernetesBundle = 'packages/cli/dist/assets/kubernetes-client.js';

const used = 'ApiException, BatchV1Api, CoreV1Api, KubeConfig, KubernetesObjectApi, Log, PatchStrategy, PortForward';

/** Bundle the client, and collect the licences. */
export async function bundleKubernetesClient() {
  const { metafile } = await build({
    stdin: { contents: `export { ${used} } from '@kubernetes/client-node';`, resolveDir: 'packages/cli' },
    outfile: kubernetesBundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // The CommonJS packages inside require Node.js's own modules.
    banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" },
    legalComments: 'eof',
    logLevel: 'error',
    metafile: true,
  });
  const folders = Object.keys(metafile.inputs).map((path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const licences = [...new Set(folders)].filter((folder) => folder !== undefined).map(licenceOf);
  writeFileSync(kubernetesBundle.replace('.js', '.licences.txt'), licences.sort().join('\n\n'));
}

/** A package's name, version and licence, with the licence's text if the package has one. */
function licenceOf(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^(un)?licen[cs]e/i.test(entry));
  if (!file && !license) throw new Error(`${folder} has no licence`);
  const by = author ? `, ${author.name ?? author}` : '';
  const notice = join(folder, 'NOTICE');
  const texts = [file && join(folder, file), existsSync(notice) && notice].filter(Boolean);
  return [`${name} ${version}: ${license}${by}`, ...texts.map((path) => readFileSync(path, 'utf8').trim())].join(
    '\n\n',
  );
}
