import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../process/environment.js';

/** fourfold's folder for everything that can be fetched or compiled again, in the user's cache folder by the XDG rules. */
export const cacheFolder = (environment: Environment = process.env): string =>
  join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'fourfold');
