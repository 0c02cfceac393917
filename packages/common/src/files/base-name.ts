import { z } from '@fourfold/common/zod';

/**
 * A file name without a folder. Names in a manifest are used in paths unchanged, so they must not lead out of the manifest's folder. Nor
 * may they name a hidden file, which belongs to somebody else wherever it is.
 */
export const baseNameSchema = z
  .string()
  // No file system allows a NUL byte or more than 255 characters.
  .regex(/^(?!\.)[^/\\\0]{1,255}$/, 'must be the name of a file that is not hidden, without a folder');

/** Base names separated by slashes: the key of an object below a manifest's folder. */
export const innerKeySchema = z
  .string()
  .refine((key) => key.split('/').every((part) => baseNameSchema.safeParse(part).success), {
    message: 'must be a path below the folder',
  });
