// Bundles zod into one file, with the messages of one language: its index loads those of all, each a file, in every process.
import { copyFileSync } from 'node:fs';
import { build } from 'esbuild';

/** Where the build puts it, as `@fourfold/common/zod`. */
export const zodBundle = 'packages/common/dist/assets/zod.js';

/** zod's list of languages; it takes English from another file. */
const languages = /[/]locales[/]index[.]js$/;

/** Bundle zod, with its licence beside it. */
export async function bundleZod() {
  await build({
    stdin: { contents: "export { z } from 'zod';", resolveDir: 'packages/common' },
    outfile: zodBundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'eof',
    logLevel: 'error',
    plugins: [
      {
        name: 'one-language',
        setup: ({ onLoad }) =>
          onLoad({ filter: languages }, () => ({ contents: "export { default as en } from './en.js';" })),
      },
    ],
  });
  copyFileSync('node_modules/zod/LICENSE', zodBundle.replace('.js', '.licence.txt'));
}
