import { cluster } from './cluster.js';
import { data } from './data.js';
import { toDashboard } from './panel.js';
import { training } from './training.js';

/** Contents of each dashboard's file, by file name. */
export const dashboardFiles: ReadonlyMap<string, string> = new Map(
  [training, cluster, data].map((options) => [
    `${options.name}.json`,
    `${JSON.stringify(toDashboard(options), null, 2)}\n`,
  ]),
);
