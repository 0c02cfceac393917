import { z } from 'zod';

/**
 * A file's name alone. What a manifest says goes into paths as it is: it must not lead out of the manifest's folder, nor name a hidden
 * file, which is somebody's wherever it lies.
 */
export const baseNameSchema = z
  .string()
  // A name with a NUL byte or of more than 255 characters is none for any file system.
  .regex(/^(?!\.)[^/\\\0]{1,255}$/, 'must be the name of a file that is not hidden, without a folder');

/** Base names with slashes between them: a key of an object below a manifest's folder. */
export const innerKeySchema = z
  .string()
  .refine((key) => key.split('/').every((part) => baseNameSchema.safeParse(part).success), {
    message: 'must be a path below the folder',
  });
