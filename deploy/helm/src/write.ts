// Writes the charts' generated files: `npm run charts`, after `npm run setup:servers -- kubernetes`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { chartFiles, chartsFolder } from './charts.js';

for (const [path, text] of chartFiles()) {
  const file = new URL(path, chartsFolder);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, text);
}
