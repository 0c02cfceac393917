import { randomUUID } from 'node:crypto';

/*
 * Names of files that are not complete yet. Folder stores leave them out of their listings.
 */

const mark = '.partial-';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A name for an unfinished file: unique, unless `id` says what is in it. */
export const partialName = (id: string = randomUUID()): string => `${mark}${id}`;

/** The `id` in an unfinished file's name; undefined for other names. */
export const partialId = (name: string): string | undefined =>
  name.startsWith(mark) ? name.slice(mark.length) : undefined;

/** Whether `partialName` has made this name unique: nobody else gives a file such a name. */
export const isUniquePartial = (name: string): boolean => uuid.test(partialId(name) ?? '');
