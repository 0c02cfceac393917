import { installCertManager, offerImageNet, uploadOriginals, type Reader } from './guide-reader.js';

/*
 * What a reader of docs/kubernetes.md does, in the order of one without cert-manager. Each command of its console blocks has one step.
 */

export type Step = {
  /** Matches one command of the page. */
  command: RegExp;
} & (
  | {
      /** Why no test runs it. */
      skipped: string;
    }
  | {
      /** What it prints. One that does not end gets Ctrl-C then. */
      says?: RegExp;
      endless?: true;
      /** Its exit code, 0 unless set. */
      code?: number;
      /** What a reader has in place of the page's text, beside `ownWords`. */
      instead?: readonly [from: string, to: string];
      /** What others have done before. */
      first?: (reader: Reader) => Promise<void>;
      /** Simulated nodes do it, too: CI's part of the page. */
      simulated?: true;
    }
);

const phase = { kind: 'mse', iterations: 4, learningRate: 1e-3 };

/** Step 1 of the page: a namespace with certificates of `fourfold certificates`, whose servers are ready. */
export const namespaceSteps: readonly Step[] = [
  { command: /^git clone /, skipped: 'this is a checkout, installed and built' },
  { command: /^export PATH=/, simulated: true },
  {
    command: /^docker build /,
    skipped: 'test/image.test.ts builds the image; nodes get the packages of this checkout',
  },
  { command: /^docker push /, skipped: 'there is no registry: nodes import their images from files' },
  {
    command: /^kubectl apply -k \S+\/tls-files$/,
    says: /^statefulset\.apps\/fourfold-minio created$/m,
    simulated: true,
  },
  { command: /^fourfold certificates /, says: /minio/, simulated: true },
  { command: /^for role in /, says: /^secret\/fourfold-minio-tls created$/m, simulated: true },
  {
    command: /^kubectl -n fourfold create secret generic fourfold-access /,
    says: /^secret\/fourfold-access created$/m,
    simulated: true,
  },
  { command: /^kubectl -n fourfold rollout status deployment/, says: /successfully rolled out/ },
  { command: /^kubectl -n fourfold rollout status statefulset/, says: /complete/ },
];

/** The rest of step 1, and step 2. */
export const photographSteps: readonly Step[] = [
  { command: /^kubectl -n fourfold exec deploy\/fourfold-nats -- nats-server --signal reload=1$/ },
  { command: /^kubectl -n default run probe /, code: 1 },
  { command: /^kubectl label namespace default fourfold\/checkpoints=pull/, says: /labeled/, simulated: true },
  { command: /^kubectl -n default run probe /, code: 0 },
  { command: /^kubectl label namespace default fourfold\/checkpoints-/, says: /unlabeled/, simulated: true },
  { command: /^kubectl -n fourfold patch serviceaccount /, says: /patched/, simulated: true },
  { command: /^kubectl -n fourfold port-forward service\/fourfold-minio / },
  { command: /^kubectl -n fourfold get secret fourfold-minio-tls / },
  { command: /^export NODE_EXTRA_CA_CERTS=/ },
  { command: /^export FOURFOLD_S3_SECRET_KEY=/ },
  {
    command: /^fourfold submit prepare --images s3:/,
    says: /preparation of photos|prepare-photos/,
    first: uploadOriginals,
  },
  { command: /^fourfold status prepare-photos /, says: /finished/ },
  { command: /^fourfold logs prepare-photos /, says: /^took 4 of 4 files/m },
  { command: /^fourfold submit prepare --claim imagenet /, says: /prepare-imagenet/, first: offerImageNet },
  // The cluster's Job has made that one.
  {
    command: /^fourfold prepare --images ~\/photos /,
    says: /^took 2 of 2 files/m,
    instead: ['s3://fourfold/photos', 's3://fourfold/own'],
  },
];

/** With cert-manager: in another namespace, since that one has certificates. */
export const certificateSteps: readonly Step[] = [
  {
    command: /^kubectl apply -k \S+\/tls /,
    says: /^certificate\.cert-manager\.io\/fourfold-minio created$/m,
    instead: ['overlays/tls', 'overlays/team'],
    first: installCertManager,
  },
];

/** The charts. */
export const helmSteps: readonly Step[] = [
  { command: /^kubectl apply -f \S+namespace\.yaml$/, says: /^namespace\/fourfold / },
  // Another namespace, since that one has what the chart would bring.
  {
    command: /^helm install fourfold /,
    says: /STATUS: deployed/,
    instead: ['--namespace fourfold', '--namespace team-b --create-namespace --set tls=none'],
  },
  // With an end.
  {
    command: /^sed /,
    instead: ['> second.yaml', `> second.yaml; echo 'phases: ${JSON.stringify([phase])}' >> second.yaml`],
  },
  { command: /^helm install second /, says: /STATUS: deployed/ },
  { command: /^helm upgrade second /, says: /STATUS: deployed/ },
  { command: /^fourfold status second .*--watch/, says: /^second: finished/m },
  { command: /^helm uninstall second /, says: /uninstalled/ },
];

/** Steps 3 and 4: a run, and its model. */
export const runSteps: readonly Step[] = [
  { command: /^cat > config\.yaml /, simulated: true },
  { command: /^fourfold submit config\.yaml --namespace .*--dry-run=server/, says: /^kind: Job$/m, simulated: true },
  {
    command: /^fourfold submit config\.yaml --namespace .* --gpus 1$/,
    says: /run first in namespace fourfold is running/,
    simulated: true,
  },
  { command: /^fourfold submit config\.yaml -n .*> rendered\.yaml$/, simulated: true },
  { command: /^fourfold status first .*--watch/, says: /\(mse\) · +[1-9]\d*\/.* · 2 workers/, endless: true },
  { command: /^fourfold logs first .*--follow/, says: /"event":/, endless: true },
  { command: /^fourfold logs first .*--index 1/, says: /\{/ },
  { command: /^kubectl -n fourfold port-forward service\/first-coordinator /, says: /Forwarding from/, endless: true },
  { command: /^fourfold scale first /, says: /is set to 1 worker/, simulated: true },
  { command: /^fourfold list /, says: /^first +running +\d\/1/m, simulated: true },
  { command: /^fourfold cancel first /, says: /what it has stored stays/, simulated: true },
  { command: /^fourfold checkpoints pull /, says: /first/ },
  { command: /^fourfold upscale /, says: /large\.png/ },
];
