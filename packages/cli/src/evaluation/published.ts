import type { Scores } from '@fourfold/imaging';

/** What a paper reports of a method on a test set, at 4x. */
export interface Published extends Scores {
  method: string;
  /** The mean of the raters' opinions, from 1 to 5. */
  mos: number;
}

const row = (method: string, psnr: number, ssim: number, mos: number): Published => ({ method, psnr, ssim, mos });

/*
 * Ledig et al. 2017 by test set. Each number was compared on 2026-11-26 with a transcript of arXiv 1609.04802v5 (25 May 2017)
 * that holds both tables as text. Table 2: nearest to ESPCN, and the variants that it calls SRResNet and SRGAN. Table 1: all
 * five variants, on Set5 and Set14 alone; where the tables overlap they agree. Published implementations quote the same numbers
 * for the paper's SRResNet and SRGAN on all three sets, bicubic's PSNR, and SRResNet-VGG22 on Set5 and Set14.
 */
export const publishedResults: Readonly<Record<string, readonly Published[]>> = {
  Set5: [
    row('nearest', 26.26, 0.7552, 1.28),
    row('bicubic', 28.43, 0.8211, 1.97),
    row('SRCNN', 30.07, 0.8627, 2.57),
    row('SelfExSR', 30.33, 0.872, 2.65),
    row('DRCN', 31.52, 0.8938, 3.26),
    row('ESPCN', 30.76, 0.8784, 2.89),
    row('SRResNet-MSE', 32.05, 0.9019, 3.37),
    row('SRResNet-VGG22', 30.51, 0.8803, 3.46),
    row('SRGAN-MSE', 30.64, 0.8701, 3.77),
    row('SRGAN-VGG22', 29.84, 0.8468, 3.78),
    row('SRGAN-VGG54', 29.4, 0.8472, 3.58),
  ],
  Set14: [
    row('nearest', 24.64, 0.71, 1.2),
    row('bicubic', 25.99, 0.7486, 1.8),
    row('SRCNN', 27.18, 0.7861, 2.26),
    row('SelfExSR', 27.45, 0.7972, 2.34),
    row('DRCN', 28.02, 0.8074, 2.84),
    row('ESPCN', 27.66, 0.8004, 2.52),
    row('SRResNet-MSE', 28.49, 0.8184, 2.98),
    row('SRResNet-VGG22', 27.19, 0.7807, 3.15),
    row('SRGAN-MSE', 26.92, 0.7611, 3.43),
    row('SRGAN-VGG22', 26.44, 0.7518, 3.57),
    row('SRGAN-VGG54', 26.02, 0.7397, 3.72),
  ],
  BSD100: [
    row('nearest', 25.02, 0.6606, 1.11),
    row('bicubic', 25.94, 0.6935, 1.47),
    row('SRCNN', 26.68, 0.7291, 1.87),
    row('SelfExSR', 26.83, 0.7387, 1.89),
    row('DRCN', 27.21, 0.7493, 2.12),
    row('ESPCN', 27.02, 0.7442, 2.01),
    row('SRResNet-MSE', 27.58, 0.762, 2.29),
    row('SRGAN-VGG54', 25.16, 0.6688, 3.56),
  ],
};

export const publishedIn = 'Ledig et al. 2017, tables 1 and 2';

/** How many pictures its means are of. */
export const publishedPictures: Readonly<Record<string, number>> = { Set5: 5, Set14: 14, BSD100: 100 };
