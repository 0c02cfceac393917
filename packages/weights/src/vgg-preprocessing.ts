/*
 * The input that VGG19's published weights expect. Filters are always for RGB: an import reverses those for BGR.
 */

/** `imagenet`: ([0, 1] - ImageNet's mean) / its deviation (torchvision). `caffe`: [0, 255] - the Caffe means (Simonyan and Zisserman). */
export type VggPreprocessing = 'imagenet' | 'caffe';

/** The metadata key that names it in a safetensors file. */
export const preprocessingKey = 'preprocessing';

const imageNetMean = [0.485, 0.456, 0.406];
const imageNetDeviation = [0.229, 0.224, 0.225];
const caffeMean = [123.68, 116.779, 103.939];

/** For each of R, G, B in [-1, 1]: the input is x * scale + shift. */
export const vggInput: Record<VggPreprocessing, { scale: number[]; shift: number[] }> = {
  imagenet: {
    scale: imageNetDeviation.map((deviation) => 0.5 / deviation),
    shift: imageNetMean.map((mean, i) => (0.5 - mean) / imageNetDeviation[i]),
  },
  caffe: { scale: [127.5, 127.5, 127.5], shift: caffeMean.map((mean) => 127.5 - mean) },
};
