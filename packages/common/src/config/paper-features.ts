/** The layers that the paper's content losses compare, of VGG19. */
export const paperLayers = { vgg22: 'conv2_2', vgg54: 'conv5_4' };

/** The paper's scale of VGG features, which brings their loss to the size of the pixels' (section 3.2). */
export const paperFeatureScale = 1 / 12.75;

/** Brings VGG16's features to about 1 for a discriminator that sees them; LPIPS itself has them at unit length. */
export const lpipsFeatureScale = 0.2;

/** VGG16's convolutions after whose ReLUs LPIPS compares features (Zhang et al. 2018, section 3). */
export const lpipsVggLayers = ['conv1_2', 'conv2_2', 'conv3_3', 'conv4_3', 'conv5_3'];
