import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, exitCodeOf } from '@fourfold/common';
import { expect, test } from 'vitest';
import { runCommand } from './program.js';
import { inFolder } from './test-support.js';

/*
 * Mistakes in commands: the exact line, and exit code 2.
 */

/** What the command says on stderr after `fourfold: `, and its exit code. */
async function refusalOf(args: readonly string[]): Promise<[line: string, exitCode: number]> {
  const error: unknown = await runCommand(args).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  return [describeError(error), exitCodeOf(error)];
}

test.each([
  ['prepar', 'unknown command prepar; did you mean prepare?'],
  ['mos serv', 'unknown command serv; did you mean serve?'],
  ['bench everything', 'unknown command everything; the commands are step, update, scale, loader, train'],
  // A required option that is misspelt is not missing.
  ['prepare --image a --out b', 'prepare: unknown option --image; did you mean --images?'],
  ['prepare --images a --output=b', 'prepare: unknown option --output; did you mean --out?'],
  ['mos prepare --imges a', 'mos prepare: unknown option --imges; did you mean --images?'],
  ['worker --confg=x', 'worker: unknown option --confg; did you mean --config?'],
  ['train run.yaml --worker 2', 'train: unknown option --worker; did you mean --workers?'],
  ['train run.yaml --zzz', 'train: unknown option --zzz; `fourfold train --help` lists its options'],
  ['doctor -json', 'unknown option -json; a file of that name is ./-json'],
  ['prepare', 'prepare: --images <place> and --out <url> must be given; `fourfold prepare --help` describes it'],
  ['train', 'train: <config> must be given; `fourfold train --help` describes it'],
  ['checkpoints pull a', 'checkpoints pull: <dir> must be given; `fourfold checkpoints pull --help` describes it'],
  ['prepare --images', '--images: its value is missing; `fourfold prepare --help` describes it'],
  [
    'doctor now',
    'doctor: it takes no arguments, but more was given: now; `fourfold doctor --help` describes its arguments',
  ],
  ['train a b c', 'train: it takes <config>, but more was given: b c; `fourfold train --help` describes its arguments'],
  ['bench step --steps 0', '--steps is 0: it must be a whole number, at least 1'],
  ['prepare --images a --out b --sample 1.5', '--sample is 1.5: it must be a whole number, at least 1'],
  ['export --format onx', '--format is onx: it must be one of onnx, tfjs, safetensors; did you mean onnx?'],
  ['logs run --role boss', '--role is boss: it must be one of coordinator, worker, data-loader'],
  ['status Run', '<run> is Run: for Kubernetes it must be lower-case letters, digits and dashes'],
])('fourfold %s', async (line, refusal) => {
  expect(await refusalOf(line.split(' '))).toEqual([refusal, 2]);
});

/** Things in a folder that are not what commands want. */
async function furnish(folder: string): Promise<void> {
  await mkdir(join(folder, 'folder'));
  await mkdir(join(folder, 'study'));
  await writeFile(join(folder, 'study', 'study.json'), '{}');
  await writeFile(join(folder, 'file'), 'text');
  await writeFile(join(folder, 'empty'), '');
  const config = 'name: a\ndataset: ds\nphases: [{ kind: mse, iterations: 2, learningRate: 1.0e-4 }]\n';
  await writeFile(join(folder, 'run.yaml'), config);
  await writeFile(join(folder, 'bad.yaml'), `${config}data: { crop: 40, replica: 2 }\n`);
}

const pictures = 'JPEG, PNG, WebP, TIFF, AVIF and GIF are supported';
const needsFolder = 'is a file, or is inside one; a folder is needed';
const noCheckpoint =
  "there is no manifest.json, and no checkpoints folder with one; name a checkpoint's folder or a run's; `fourfold checkpoints ls` lists them";
const aPlace = 'name a folder of pictures, or a zip or tar of them';
const aStudy = 'name a folder that `fourfold mos prepare` wrote';

test.each([
  // A config.
  ['train /folder', '/folder cannot be read: it is a folder'],
  ['train /none', '/none does not exist'],
  ['train /empty', '/empty holds no keys'],
  ['coordinator --config /folder', '/folder cannot be read: it is a folder'],
  ['submit /none --dry-run=client', '/none does not exist'],
  [
    'worker --config /bad.yaml',
    '/bad.yaml: data.crop is 40: it must be a multiple of 16; data.replica is not a key: did you mean data.replicas?',
  ],
  ['train /run.yaml --backend gpu', '--backend is gpu: it must be one of auto, torch, tensorflow, webgpu, wasm, cpu'],
  ['train /run.yaml --scale-schedule 2', '--scale-schedule is 2: it must be at most 1'],
  ['bench step --dtype fp8', '--dtype is fp8: it must be one of fp32, tf32, bf16'],
  // A dataset.
  [
    'train /run.yaml --set dataset=/none',
    'no dataset at file:///none: there is no manifest.json; write it with `fourfold prepare`',
  ],
  [
    'bench loader --config /run.yaml --set dataset=/file',
    'file:///file/manifest.json could not be read: part of the path is a file, not a folder',
  ],
  // An address.
  [
    'train /run.yaml --http nonsense',
    '--http is nonsense: it must be host:port, such as 127.0.0.1:8080; port 0 takes a free one',
  ],
  [
    'worker --config /run.yaml --coordinator host',
    '--coordinator is host: it must be host:port, such as 127.0.0.1:8080; port 0 takes a free one',
  ],
  ['cluster --http 99999', '--http is 99999: it must be host:port, such as 127.0.0.1:8080; port 0 takes a free one'],
  // Pictures.
  ['prepare --images /none --out /o', `/none does not exist; ${aPlace}`],
  [
    'prepare --images /folder --out /o',
    `/folder has no usable photograph: it is empty; name a folder of photographs: ${pictures}`,
  ],
  ['prepare --images /folder --out /file', `/file ${needsFolder}`],
  [
    'prepare --images /study --out /o',
    `/study has no usable photograph (1 file left out: study.json: not named like a picture); name a folder of photographs: ${pictures}`,
  ],
  ['evaluate --images /file --method bicubic', `/file is neither a folder nor a zip, tar or tgz; ${aPlace}`],
  ['evaluate --images /folder --method bicubic --figure /folder', '/folder is a folder; name another file'],
  [
    'evaluate --images /folder --method bicubic --figure /file/x.png',
    '/file/x.png: /file is a file; a folder is needed',
  ],
  // A checkpoint.
  ['checkpoints ls /file', `/file ${needsFolder}`],
  [
    'checkpoints ls /folder',
    "no checkpoints at file:///folder; name a run's folder or an object store that holds runs",
  ],
  ['checkpoints verify /none', `no checkpoint at file:///none: ${noCheckpoint}`],
  ['checkpoints pull /folder /file', `no checkpoint at file:///folder: ${noCheckpoint}`],
  ['export --checkpoint /none --format onnx --out /o', `no checkpoint at file:///none: ${noCheckpoint}`],
  ['export --checkpoint /none --format onnx --out /file', `/file ${needsFolder}`],
  [
    'export --checkpoint ftp://x/y --format onnx --out /o',
    'object store ftp://x/y: only folders (file: URLs and paths) and s3: URLs are supported; name a folder or s3://bucket/path',
  ],
  // The rest.
  ['certificates --out /file', `/file ${needsFolder}`],
  ['certificates --out /file/tls', `/file/tls ${needsFolder}`],
  ['vgg import /folder --store /o', '/folder cannot be read: it is a folder'],
  ['mos report /none', `no study at file:///none: there is no study.json; ${aStudy}`],
  ['mos report /study', `file:///study/study.json is not a study: format: expected 1; ${aStudy}`],
  [
    'mos prepare --images /folder --out /o --method bicubik',
    '--method is bicubik: it must be one of nearest, bicubic, lanczos, original; did you mean bicubic?',
  ],
])('fourfold %s', async (line, refusal) => {
  await inFolder(async (folder) => {
    await furnish(folder);
    const args = line.split(' ').map((arg) => arg.replace(/^(dataset=)?\//, `$1${folder}/`));
    const [said, exitCode] = await refusalOf(args);
    expect([said.replaceAll(folder, ''), exitCode]).toEqual([refusal, 2]);
  });
});
