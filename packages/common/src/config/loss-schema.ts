import { z } from '@fourfold/common/zod';
import { lpipsVggLayers, paperFeatureScale } from './paper-features.js';

/** A number above 0. */
export const positive = z.number().positive();

/** The name of a convolution of a VGG network. */
export const featureName = z.string().regex(/^conv[1-5]_[1-4]$/, 'the name of a convolution, such as conv3_3');

/** A convolution whose features are compared. */
const featureLayerSchema = z.strictObject({
  layer: featureName,
  /** Features `before` the ReLU, as ESRGAN takes them, or `after` it, as in the paper. */
  relu: z.enum(['before', 'after']).default('after'),
  /** Factor of the features. */
  scale: positive.default(paperFeatureScale),
  /** Factor of the layer's distance in the sum over layers. */
  weight: positive.default(1),
});

const featuresSchema = z.strictObject({
  network: z.enum(['vgg16', 'vgg19']).default('vgg16'),
  layers: z.array(featureLayerSchema).min(1),
  /** `squared`: squared differences, as in the paper. `absolute`: absolute ones, as in Real-ESRGAN. */
  distance: z.enum(['squared', 'absolute']).default('squared'),
});

const pixelLossSchema = z.strictObject({
  weight: positive,
  /** The mean of absolute or of squared differences of pixels in [-1, 1]. */
  distance: z.enum(['squared', 'absolute']).default('absolute'),
});

/** The key `loss` of a run's config. */
export const lossSchema = z.strictObject({
  /**
   * The content loss of `content` and `gan` phases. `vgg22` and `vgg54` are the paper's; `features` are those below; `lpips` is LPIPS 0.1
   * by VGG16.
   */
  content: z.enum(['mse', 'vgg22', 'vgg54', 'features', 'lpips']).default('vgg54'),
  /** The layers of `content: features`. */
  features: featuresSchema.optional(),
  /**
   * The content loss's network sees each crop without so many pixels at the left and the top, at most, and the rest on the other sides:
   * at random in each iteration. Otherwise its poolings always meet the generator's pixels alike, and reward a grid. 3 covers all cases.
   */
  featureShift: z.int().min(0).max(15).default(0),
  /** A loss of pixels beside the content loss; none unless set. */
  pixels: pixelLossSchema.optional(),
  /** How many of LPIPS's five layers `content: lpips` compares, from the first. */
  lpipsLayers: z.int().min(1).max(lpipsVggLayers.length).default(lpipsVggLayers.length),
  /** A loss of how much features vary in windows of 16 pixels, beside the content loss; none unless set. */
  spread: z.strictObject({ weight: positive, layers: z.array(featureName).min(1) }).optional(),
  /** Weight of a loss that keeps a pattern of 4 x 4 pixels, which HR does not have, from repeating over SR. */
  gridWeight: z.number().min(0).default(0),
  /** Weight of a loss of how much luminance varies in each of the 63 bands of an 8 x 8 cosine transform, in windows of 16 pixels. */
  bandWeight: z.number().min(0).default(0),
  /** Whether distances of features are summed over channels, as in the paper's eq. 5, or averaged. */
  vggReduction: z.enum(['sum', 'mean']).default('sum'),
  /**
   * `standard`: the discriminator says whether a picture is real, as in the paper. `relativistic`: whether it is more real than the other
   * kind's mean, as in ESRGAN; the generator then learns from the real pictures' logits, too.
   */
  adversarial: z.enum(['standard', 'relativistic']).default('standard'),
  adversarialWeight: z.number().min(0).default(1e-3),
  totalVariationWeight: z.number().min(0).default(0),
});
