import { FourfoldError } from '@fourfold/common/basics';
import type { Dataset, Group } from 'h5wasm/node';
import type { NamedArray } from '@fourfold/weights';

/*
 * Keras's HDF5 weights: kernel HWIO first, then bias. Up to Keras 2 (keras/src/legacy/saving/legacy_h5_format.py) the file has a
 * group per layer, listed in the attribute `layer_names`, with the arrays listed in its attribute `weight_names`. Keras 3
 * (keras/src/saving/saving_lib.py) has groups `layers/ANY/vars` with the layer's name as an attribute and arrays `0` and `1`.
 */

const magic = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

export const isHdf5File = (bytes: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);

/** The arrays of the `wanted` layers as `LAYER/filter` and `LAYER/bias`. Throws `invalid`, `corrupt`. */
export async function readKerasFile(
  path: string,
  what: string,
  wanted: (layer: string) => boolean,
): Promise<NamedArray[]> {
  const { default: hdf5 } = await import('h5wasm/node');
  // Otherwise it prints errors and continues.
  (await hdf5.ready).activate_throwing_error_handler();
  const damaged = (cause: unknown) =>
    new FourfoldError('corrupt', `${what} is damaged: it cannot be read as HDF5`, {
      hint: 'fetch the file again',
      cause,
    });
  let file;
  try {
    file = new hdf5.File(path, 'r');
  } catch (error) {
    throw damaged(error);
  }
  try {
    const layers = layersOf(file);
    if (!layers) throw new FourfoldError('invalid', `${what} is an HDF5 file, but not one of Keras’s weights`);
    return layers.filter(({ name }) => wanted(name)).flatMap((layer) => arraysOf(layer, what));
  } catch (error) {
    throw error instanceof FourfoldError ? error : damaged(error);
  } finally {
    file.close();
  }
}

interface KerasLayer {
  name: string;
  group: Group;
  /** In `group`. */
  weights: string[];
}

/** The layers of either kind of file; undefined for any other. */
function layersOf(file: Group): KerasLayer[] | undefined {
  // A whole model has its weights one level deeper.
  const root = 'layer_names' in file.attrs ? file : file.get('model_weights');
  if (isGroup(root) && 'layer_names' in root.attrs) {
    return textsOf(root, 'layer_names').flatMap((name) => {
      const group = root.get(name);
      return isGroup(group) ? [{ name, group, weights: textsOf(group, 'weight_names') }] : [];
    });
  }
  const layers = file.get('layers');
  if (!isGroup(layers)) return undefined;
  return layers.keys().flatMap((key) => {
    const group = layers.get(`${key}/vars`);
    return isGroup(group) ? [{ name: textsOf(group, 'name').join(), group, weights: group.keys() }] : [];
  });
}

function arraysOf({ name, group, weights }: KerasLayer, what: string): NamedArray[] {
  if (weights.length !== 2) throw new FourfoldError('invalid', `${what}: ${name} is not a pair of kernel and bias`);
  return ['filter', 'bias'].map((part, i) => {
    const dataset = group.get(weights[i]);
    const value = isDataset(dataset) ? dataset.value : undefined;
    if (!isDataset(dataset) || !(value instanceof Float32Array)) {
      throw new FourfoldError('invalid', `${what}: ${weights[i]} of ${name} is not an array of float32`);
    }
    return { name: `${name}/${part}`, shape: dataset.shape ?? [], data: value };
  });
}

/** An attribute that is a string or a list of strings. */
const textsOf = (group: Group, attribute: string): string[] => {
  const value: unknown = group.attrs[attribute]?.value;
  return [value].flat().map(String);
};

const isGroup = (value: unknown): value is Group =>
  typeof value === 'object' && value !== null && 'attrs' in value && 'keys' in value;
const isDataset = (value: unknown): value is Dataset =>
  typeof value === 'object' && value !== null && 'shape' in value && 'value' in value;
