import { FourfoldError } from '@fourfold/common/basics';
import { generatorLayout, type GeneratorWeights } from './layout.js';
import { decodeSafetensors } from './safetensors.js';
import { decodeTorchGenerator } from './torch-generator.js';
import { vectorFromSafetensors } from './weights-file.js';

/** How a file names the first filter and those that every block has, and which side of a filter is its outputs. */
const namings = [
  { first: 'head/conv/filter', inBlock: /^block\d+\/conv1\/filter$/, outputs: 3, decode: vectorFromSafetensors },
  { first: 'head.0.weight', inBlock: /^blocks\.\d+\.conv1\.weight$/, outputs: 0, decode: decodeTorchGenerator },
] as const;

/**
 * A generator from the bytes of a `generator.safetensors`: a checkpoint's, or one that was exported for PyTorch. Its sizes follow from
 * its tensors. `what` names the file in errors. Throws `corrupt`, or `invalid` if it holds another network.
 */
export function generatorOf(bytes: Uint8Array, what: string): GeneratorWeights {
  const { tensors } = decodeSafetensors(bytes, what);
  for (const { first, inBlock, outputs, decode } of namings) {
    const channels = tensors.find(({ name }) => name === first)?.shape[outputs];
    if (channels === undefined) continue;
    const config = { channels, blocks: tensors.filter(({ name }) => inBlock.test(name)).length };
    const layout = generatorLayout(config);
    if (4 * layout.length > bytes.length) {
      throw new FourfoldError('invalid', `${what} is too small for a generator of ${channels} channels`);
    }
    return { config, layout, vector: decode(layout, bytes, what) };
  }
  throw new FourfoldError('invalid', `${what} holds no generator of fourfold: ${namings[0].first} is missing`, {
    hint: 'give the generator.safetensors of a checkpoint or of `fourfold export --format safetensors`',
  });
}
