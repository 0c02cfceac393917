import { expect, test } from 'vitest';
import { checkpointInputs } from './checkpoint-input.js';

const places = (url: string) => checkpointInputs(url).map((input) => (typeof input === 'string' ? input : input.place));

test('RUN/latest and RUN/best read the run; a folder may have such a name', () => {
  expect(places('s3://models/runs/srgan')).toEqual(['s3://models/runs/srgan']);
  for (const url of ['runs/srgan/best', 'runs/srgan/latest/']) expect(places(url)).toEqual([url, 'runs/srgan']);
});

test('names that a run or a checkpoint uses are read, whether they exist or not; others are not', () => {
  const [input] = checkpointInputs('runs/srgan');
  const reads = (key: string) => typeof input !== 'string' && 'reads' in input && input.reads(key);
  const owned = [
    ...['manifest.json', 'Manifest.JSON', 'generator-average.safetensors', 'run.json', 'train.log', 'terms', 'best'],
    ...['checkpoints', 'checkpoints/00000004-0001', 'checkpoints/00000004-0001/manifest.json', 'terms/00000001.json'],
  ];
  expect(owned.filter((key) => !reads(key))).toEqual([]);
  const free = ['figure.png', 'onnx', 'checkpoints/00000004-0001/figure.png', 'checkpoints/notes.txt'];
  expect(free.filter(reads)).toEqual([]);
});
