/** The highest PSNR reported, in dB: identical pictures have an infinite one, which cannot be averaged. */
export const highestPsnr = 100;
