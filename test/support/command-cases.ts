/** How CI checks a command of a page. */
export type CommandCase = { command: RegExp } & (
  | {
      /** The command to run: the page's text, shortened. */
      run: (text: string) => string;
      /** What it must print. */
      says: RegExp;
    }
  | {
      /** A file that runs it, and what the file must contain. */
      by: [file: string, words: RegExp];
    }
  | {
      /** Why nothing runs it here. */
      cannot: string;
    }
);

const asItIs = (text: string) => text;
const with_ = (more: string) => (text: string) => `${text} ${more}`;
/** Networks and a schedule so small that a whole run takes seconds. */
const tinyNets =
  '--set generator.channels=4 --set generator.blocks=1 --set discriminator.channels=4 --set discriminator.dense=8';
const tinyRun = `${tinyNets} --set data.globalBatch=2 --set data.windowPictures=4 --set workers.backend=wasm --set workers.precision=f32 --scale-schedule 0.000001`;
const engine = 'needs a container engine; deploy/docker/src checks Dockerfile and Compose files';
const pytorch = 'needs a Python with PyTorch, NumPy and Pillow';
const setsVariables = 'sets variables for later commands of the page; here the test sets them';

/** In order: the first that matches a command is its case. */
export const commandCases: readonly CommandCase[] = [
  // What people do first.
  { command: /^npm run demo$/, by: ['test/demo.test.ts', /'demo', '--quick'/] },
  { command: /^npm test$/, by: ['.ci/run', /^npm test/m] },
  { command: /^git clone REPOSITORY fourfold /, by: ['scripts/setup.mjs', /'ci'[^]*scripts\/build\.mjs/] },
  {
    command: /^npm (ci|run build|install && npm run build)$/,
    by: ['scripts/setup.mjs', /'ci'[^]*scripts\/build\.mjs/],
  },
  { command: /^npm install && npm run build && .* npm pack /, by: ['test/installed.test.ts', /'npm', \['publish'/] },
  { command: /^npm install CHECKOUT/, by: ['test/installed.test.ts', /'install', 'fourfold'/] },
  { command: /^npm run (check|lint)$/, by: ['.ci/run', /format:check[^]*lint/] },
  { command: /^npm run docs$/, cannot: 'takes a minute, and nothing depends on its pages' },
  { command: /^npm install (@?fourfold)/, by: ['test/installed.test.ts', /'install', 'fourfold'/] },
  { command: /^npx fourfold --help$/, run: asItIs, says: /upscale/ },
  { command: /^npx fourfold demo$/, by: ['test/installed.test.ts', /'demo', '--quick'/] },
  { command: /^npx (fourfold|tfjs-torch) setup/, by: ['test/installed.test.ts', /'tfjs-torch', 'setup'/] },
  { command: /^npm run setup:torch$/, by: ['.ci/run', /setup:torch/] },
  { command: /^npm run setup:tensorflow$/, by: ['.ci/run', /setup:tensorflow/] },
  { command: /^npm run setup:webgpu( -- --software)?$/, by: ['.ci/run', /setup:webgpu -- --software/] },
  { command: /^npm run setup:runtimes$/, by: ['.ci/run', /setup:runtimes/] },
  { command: /^npm run setup:lpips$/, by: ['.ci/run', /setup:lpips/] },
  {
    command: /^npm run setup:servers( -- kubernetes)?$/,
    by: ['.ci/run', /setup:servers$[^]*setup:servers -- kubernetes/m],
  },
  { command: /^npx fourfold (cluster|coordinator|worker)$/, by: ['test/local-cluster.test.ts', /'cluster'/] },
  { command: /^npm run cluster$/, by: ['test/local-cluster.test.ts', /'cluster'/] },
  { command: /^npm run gpu:bundle$/, by: ['test/gpu-bundle.test.ts', /is made, and is small enough/] },
  { command: /^npm run gpu:check$/, by: ['test/gpu-bundle.test.ts', /its check passes on the CPU/] },
  { command: /^npm run study$/, by: ['test/scripts.test.ts', /'scripts\/study\.mjs'/] },
  { command: /^npm run chaos /, by: ['test/scripts.test.ts', /'--minutes', '30'/] },
  { command: /^npm run soak /, by: ['test/soak.test.ts', /npm run soak/] },
  { command: /^npm run chaos$/, by: ['test/chaos.test.ts', /npm run chaos/] },
  { command: /^npm run charts$/, by: ['deploy/helm/src/charts.test.ts', /npm run charts/] },
  { command: /^npm run guide$/, by: ['test/kubernetes-guide.test.ts', /npm run guide/] },
  { command: /^npm run dashboards$/, by: ['deploy/grafana/src/dashboards.test.ts', /dashboardFiles/] },
  { command: /^npm run dashboards:draw /, cannot: 'needs a Prometheus that has scraped a run for minutes' },
  { command: /^npm run conformance /, by: ['packages/tfjs-torch/src/conformance.test.ts', /conformance/] },
  { command: /^npx fourfold doctor$/, run: asItIs, says: /backend wasm/ },
  // One machine.
  { command: /^npx fourfold prepare --images ILSVRC/, run: (text) => text.replace('350000', '3'), says: /3/ },
  { command: /fourfold prepare /, run: asItIs, says: /samples?|tiles|photographs/ },
  {
    command: /^npx fourfold train CONFIG --print-config$/,
    run: (text) => text.replace('CONFIG', 'examples/photos.yaml'),
    says: /globalBatch/,
  },
  { command: /^npx fourfold train /, run: with_(tinyRun), says: /checkpoints\/\d+-\d+/ },
  {
    command: /^fourfold train --backend tensorflow$/,
    by: ['packages/model/src/backends/tensorflow-backend.test.ts', /tensorflow/],
  },
  {
    command: /^node examples\/srresnet-mse\/ship\.mjs /,
    run: (text) => text.replace('NAME', '$(ls out/store/runs/srresnet-mse/checkpoints | tail -n 1)'),
    says: /^\s*$/,
  },
  { command: /^node examples\/srresnet-mse\/collect\.mjs /, cannot: 'fetches a gigabyte of packages with photographs' },
  {
    command: /^npx fourfold upscale photos large$/,
    by: ['packages/cli/src/upscaling/upscale-folder.test.ts', /a folder goes into another/],
  },
  {
    command: /^npx fourfold upscale - - /,
    by: ['packages/cli/src/commands/upscale.test.ts', /from standard input to standard output/],
  },
  {
    command: /fourfold upscale /,
    run: (text) => `rm -f large.png; ${text.replace('--checkpoint first', '--checkpoint out/store/runs/photos')}`,
    says: /large\.png/,
  },
  { command: /fourfold evaluate /, run: (text) => text.replace('DIR', '~/Set5'), says: /^mean +\d/m },
  { command: /^npx fourfold blend /, run: asItIs, says: /blend/ },
  { command: /^npx fourfold plane /, by: ['packages/cli/src/commands/plane.test.ts', /plane measures/] },
  { command: /^npx fourfold vgg import /, by: ['packages/cli/src/commands/vgg.test.ts', /import/] },
  { command: /^npx fourfold vgg fetch/, by: ['packages/cli/src/commands/vgg.test.ts', /fetch/] },
  { command: /^(npx )?fourfold certificates /, run: asItIs, says: /coordinator/ },
  { command: /^fourfold export --format/, by: ['packages/cli/src/exporting/export-generator.test.ts', /safetensors/] },
  // Checkpoints in MinIO.
  { command: /^npx fourfold checkpoints policy /, run: asItIs, says: /s3:GetObject/ },
  { command: /^npx fourfold checkpoints pull s3:\/\/models/, run: asItIs, says: /DIR/ },
  {
    command: /fourfold checkpoints pull s3:\/\/fourfold/,
    run: (text) => text.replace('fourfold/store/runs/first/latest', 'models/runs/photos/latest'),
    says: /first/,
  },
  // Benchmarks.
  { command: /^npx fourfold bench step$/, run: with_('--steps 1 --warmup 1 --batch 2 --backend wasm'), says: /ms/ },
  {
    command: /^npx fourfold bench update$/,
    run: with_('--size demo --steps 1 --warmup 1 --exchange stream --tls'),
    says: /ms/,
  },
  { command: /^npx fourfold bench train$/, by: ['packages/cli/src/bench/train.test.ts', /train/] },
  { command: /^npx fourfold bench scale /, by: ['packages/cli/src/commands/bench.test.ts', /bench scale/] },
  {
    command: /^npx fourfold bench loader /,
    run: (text) => `${text.replace('CONFIG.yaml', 'examples/photos.yaml')} --iterations 2`,
    says: /crops/,
  },
  {
    command: /^node bench\/batch-waits\.mjs/,
    cannot: 'measures on the torch backend for minutes; test/strangers.test.ts runs the same parts',
  },
  { command: /^node bench\/compare\.mjs/, cannot: pytorch },
  { command: /^node bench\/startup\.mjs/, run: () => 'node bench/startup.mjs --rounds 1', says: /worker/ },
  {
    command: /^node bench\/many-pictures\.mjs/,
    run: (text) => `${text} --samples 100 --batches 2 --rounds 1`,
    says: /samples/,
  },
  {
    command: /^node bench\/formats\.mjs/,
    run: () =>
      'node bench/formats.mjs --replicas 2 --formats f32 --mse 2 --gan 2 --backend wasm --photographs examples/photographs',
    says: /psnr/,
  },
  {
    command: /^node bench\/webgpu-counts\.mjs/,
    by: ['packages/model/src/kernels/webgpu/test-kernels.ts', /submission/],
  },
  { command: /^node bench\/esrgan-thick\.mjs/, by: ['test/exported-models.test.ts', /upscaler/i] },
  // Elsewhere.
  { command: /^fourfold submit .*--dry-run=server$/, by: ['test/kubernetes/manifests.ts', /'--dry-run=server'/] },
  { command: /^fourfold submit .*--dry-run=client -o yaml/, run: asItIs, says: /^\s*$/ },
  { command: /^fourfold submit prepare /, by: ['test/kubernetes/operation.ts', /'submit', 'prepare'/] },
  { command: /^(npx )?fourfold submit /, by: ['test/kubernetes/operation.ts', /'submit'/] },
  {
    command: /^(npx )?fourfold (status|logs|scale|cancel|list) /,
    by: ['test/kubernetes/operation.ts', /'status'[^]*'logs'[^]*'scale'|'scale'[^]*'cancel'/],
  },
  { command: /^kubectl apply -k /, by: ['test/kubernetes/manifests.ts', /kustomize/] },
  {
    command: /^(kubectl|helm) |^for role in coordinator |^export FOURFOLD_S3_SECRET_KEY=\$\(kubectl/,
    by: ['test/kubernetes-guide.test.ts', /npm run guide/],
  },
  { command: /^npm run image/, by: ['test/image.test.ts', /scripts\/image\.mjs/] },
  { command: /^docker /, cannot: engine },
  { command: /^(export (FOURFOLD_|PATH=|NODE_EXTRA_CA_CERTS=)|\. deploy\/docker\/\.env$)/, cannot: setsVariables },
  { command: /^for name in NATS_PASSWORD /, run: (text) => text.replace('> .env', '> env'), says: /^\s*$/ },
];
