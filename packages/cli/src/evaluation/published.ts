import type { Scores } from '@fourfold/worker';

/** What a paper reports of a method on a test set, at 4x. */
export interface Published extends Scores {
  method: string;
}

const row = (method: string, psnr: number, ssim: number): Published => ({ method, psnr, ssim });

/** Of Ledig et al. 2017 (arXiv 1609.04802), table 2, by test set. */
export const publishedResults: Readonly<Record<string, readonly Published[]>> = {
  Set5: [
    row('nearest', 26.26, 0.7552),
    row('bicubic', 28.43, 0.8211),
    row('SRCNN', 30.07, 0.8627),
    row('SelfExSR', 30.33, 0.872),
    row('DRCN', 31.52, 0.8938),
    row('ESPCN', 30.76, 0.8784),
    row('SRResNet', 32.05, 0.9019),
    row('SRGAN', 29.4, 0.8472),
  ],
  Set14: [
    row('nearest', 24.64, 0.71),
    row('bicubic', 25.99, 0.7486),
    row('SRResNet', 28.49, 0.8184),
    row('SRGAN', 26.02, 0.7397),
  ],
  BSD100: [
    row('nearest', 25.02, 0.6606),
    row('bicubic', 25.94, 0.6935),
    row('SRResNet', 27.58, 0.762),
    row('SRGAN', 25.16, 0.6688),
  ],
};

export const publishedIn = 'Ledig et al. 2017, table 2';
