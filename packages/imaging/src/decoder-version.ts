/** Libraries that decide a decoded picture's pixels. The others that sharp lists draw, write or transport. */
const decoders = ['vips', 'mozjpeg', 'lcms', 'webp', 'tiff', 'heif', 'aom'] as const;

/** The libraries that decode pictures in this process. Other versions may give other pixels for the same file. */
export const decoderVersion = async (): Promise<string> => decodersOf((await import('sharp')).default.versions);

/** `decoderVersion` of a table of versions of sharp's. With the system's libvips it does not list the others. */
export function decodersOf(versions: Partial<Record<string, string>>): string {
  return decoders.flatMap((name) => (versions[name] ? [`${name} ${versions[name]}`] : [])).join(', ');
}
