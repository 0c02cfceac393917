import { modelFolder } from '../assets.js';
import { modelNames } from './models.js';

/** The place of a generator that is given by the name of one that comes with fourfold, or by a checkpoint's place. */
export const generatorPlace = (given: string): string =>
  (modelNames as readonly string[]).includes(given) ? modelFolder(given) : given;
