#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  // A clone, as git has it.
  console.error('fourfold: it is not built yet; run `npm install && npm run build` in the repository');
  process.exitCode = 2;
}
