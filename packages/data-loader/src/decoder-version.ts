import sharp from 'sharp';

/** Libraries that decide a decoded picture's pixels. The others that sharp tells of draw, write or transport. */
const decoders = ['vips', 'mozjpeg', 'lcms', 'webp', 'tiff', 'heif', 'aom'] as const;

/** With what this process decodes pictures. Another one may give other pixels for the same file. */
export const decoderVersion: string = decodersOf(sharp.versions);

/** As `decoderVersion`, of sharp's table of versions. A libvips of the system does not tell of the others. */
export function decodersOf(versions: Partial<Record<string, string>>): string {
  return decoders.flatMap((name) => (versions[name] ? [`${name} ${versions[name]}`] : [])).join(', ');
}
