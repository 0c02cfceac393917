import { createRequire } from 'node:module';
import { GlobalFonts } from '@napi-rs/canvas';
import { FourfoldError } from '@fourfold/common';

/** The font family of the charts. */
export const fontFamily = 'DejaVu Sans';

/**
 * Make the shipped font known to the canvas, since a machine may have none, and return its family. Throws `not-found` if the
 * font's package is damaged.
 */
export function registerFonts(): string {
  if (GlobalFonts.has(fontFamily)) return fontFamily;
  const require = createRequire(import.meta.url);
  for (const file of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf']) {
    if (!GlobalFonts.registerFromPath(require.resolve(`dejavu-fonts-ttf/ttf/${file}`), fontFamily)) {
      throw new FourfoldError('not-found', `font ${file} cannot be loaded`, { hint: 'install the npm packages again' });
    }
  }
  return fontFamily;
}
