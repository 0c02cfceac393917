import { contentFeatures, spreadWindow } from './content-features.js';
import { lpipsVggLayers } from './paper-features.js';
import type { Problem } from './issues.js';
import type { FeaturesConfig, RunConfig } from './schema.js';

/** What decides whether a loss can be computed. */
type LossAndItsNeeds = Pick<RunConfig, 'data' | 'discriminator' | 'loss' | 'phases' | 'vgg'>;

/** VGG's four poolings make one pixel of so many. */
const leastFeatureSide = 16;

/** The grid is looked for in windows of 24 pixels, bands in 16 and 7 more, and crops are multiples of 16. */
const leastWindowCrop = 32;

/** Problems between the keys of a loss, and with what it needs of others. */
export function problemsOfLoss(config: LossAndItsNeeds): Problem[] {
  return [...problemsOfContent(config), ...problemsOfSeen(config), ...problemsOfCrop(config)];
}

const problem = (key: string, value: unknown, reason: string, ...others: string[]): Problem => ({
  key,
  found: `is ${String(value)}`,
  reason,
  others,
});

function problemsOfContent({ loss, phases, vgg }: LossAndItsNeeds): Problem[] {
  const problems: Problem[] = [];
  if (loss.content === 'features' && !loss.features) {
    problems.push(problem('loss.content', loss.content, 'it needs loss.features, with the layers to compare'));
  }
  const wrong = loss.features && layerProblem(loss.features);
  if (wrong) problems.push(problem('loss.features.layers', wrong.layer, wrong.reason));
  if (loss.lpipsLayers < lpipsVggLayers.length && loss.content !== 'lpips') {
    problems.push(problem('loss.lpipsLayers', loss.lpipsLayers, 'it needs loss.content: lpips', 'loss.content'));
  }
  const network = contentFeatures(loss)?.network.toUpperCase();
  if (network && !vgg && phases.some(({ kind }) => kind !== 'mse')) {
    const reason = `it needs ${network} weights; set vgg to a safetensors file, or loss.content to mse`;
    problems.push(problem('loss.content', loss.content, reason));
  }
  return problems;
}

/** A layer that the network does not have, or that is named twice. */
function layerProblem({ network, layers }: FeaturesConfig): { layer: string; reason: string } | undefined {
  const unknown = layers.find(({ layer }) => !hasLayer(network, layer));
  if (unknown) return { layer: unknown.layer, reason: `${network} does not have it` };
  const isRepeated = ({ layer, relu }: FeaturesConfig['layers'][number], i: number) =>
    layers.findIndex((other) => other.layer === layer && other.relu === relu) !== i;
  const twice = layers.find(isRepeated);
  return twice && { layer: twice.layer, reason: `it is named twice ${twice.relu} the ReLU` };
}

/** VGG16 has two or three convolutions in each of its five groups; VGG19 has two or four. */
function hasLayer(network: FeaturesConfig['network'], layer: string): boolean {
  const [group, convolution] = layer.replace('conv', '').split('_').map(Number);
  return convolution <= (group <= 2 ? 2 : network === 'vgg16' ? 3 : 4);
}

/** What a discriminator or the spread wants to see of features, and the content loss does not compare. */
function problemsOfSeen({ discriminator, loss }: LossAndItsNeeds): Problem[] {
  const { head, features } = discriminator;
  const problems: Problem[] = [];
  if (head !== 'features' && features) {
    problems.push(problem('discriminator.features', features, 'it needs discriminator.head: features'));
  }
  if (head === 'features' && !features) {
    problems.push(problem('discriminator.head', head, 'it needs discriminator.features, the layers to see'));
  }
  const spread = loss.spread?.layers ?? [];
  const compared = contentFeatures(loss)?.layers ?? [];
  for (const [key, names] of [
    ['discriminator.features', head === 'features' ? (features ?? []) : []],
    ['loss.spread.layers', spread],
  ] as const) {
    const isOnce = (name: string) => compared.filter(({ layer }) => layer === name).length === 1;
    const wrong = names.find((name, i) => names.indexOf(name) < i || !isOnce(name));
    if (wrong === undefined) continue;
    const layers = compared.map(({ layer }) => layer).join(', ') || 'none';
    const reason = `each must be named once, and be once among the layers that loss.content compares (${layers})`;
    problems.push(problem(key, wrong, reason, 'loss.content', 'loss.features', 'loss.lpipsLayers'));
  }
  const tooDeep = spread.find((layer) => spreadWindow(layer) < 2);
  if (tooDeep !== undefined) {
    problems.push(problem('loss.spread.layers', tooDeep, 'its features are 16 pixels apart; the deepest is of conv4'));
  }
  return problems;
}

/** Crops that are too small. */
function problemsOfCrop({ data: { crop }, loss }: LossAndItsNeeds): Problem[] {
  const problems: Problem[] = [];
  const { featureShift } = loss;
  if (featureShift > 0 && crop - featureShift < leastFeatureSide) {
    const reason = `the network must see at least ${leastFeatureSide} pixels of data.crop, ${crop}`;
    problems.push(problem('loss.featureShift', featureShift, reason, 'data.crop'));
  }
  for (const key of ['gridWeight', 'bandWeight'] as const) {
    if (loss[key] === 0 || crop >= leastWindowCrop) continue;
    const reason = `it needs a data.crop of at least ${leastWindowCrop} pixels, not ${crop}`;
    problems.push(problem(`loss.${key}`, loss[key], reason, 'data.crop'));
  }
  return problems;
}
