#!/usr/bin/env node
// CommonJS: an ES module is read by the threads whose number is set here.
const { existsSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

// Node.js reads files, decodes pictures and encodes them in four threads, also on machines with more cores.
const threads = Math.min(64, Math.max(4, availableParallelism()));
process.env.UV_THREADPOOL_SIZE ??= String(threads);

const main = join(__dirname, '../dist/main.js');
if (existsSync(main)) void import(pathToFileURL(main).href);
else {
  // A clone, as git has it.
  console.error('fourfold: it is not built yet; run `npm install && npm run build` in the repository');
  process.exitCode = 2;
}
