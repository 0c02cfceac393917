import { existsSync } from 'node:fs';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { dataSchema, describeError, exchangeSchema, type Environment } from '@fourfold/common';
import { listCache, userCacheFolder } from '@fourfold/data-loader';
import type { Finding } from './finding.js';
import { formatBytes, formatCount } from './terminal/table.js';

/** Both networks of the paper in float32: what the coordinator and each worker hold in shared memory. */
const paperBytes = 4 * (1_548_547 + 23_563_649);

/** Places that are written to: where runs, shards, vectors and temporary files go unless a config says otherwise. */
export async function examinePlaces(environment: Environment): Promise<Finding[]> {
  return Promise.all([
    examine('writing to ./out', 'out', 'set store, and --out, to other places'),
    shardCache(userCacheFolder(environment)),
    sharedMemory(exchangeSchema.parse({}).folder),
    examine('temporary files', tmpdir(), 'set TMPDIR to another folder'),
  ]);
}

/** Whether a place can be written to, and its free space; `more` is appended. */
async function examine(
  subject: string,
  place: string,
  hint: string,
  more: (freeBytes: number) => string = () => '',
): Promise<Finding> {
  const folder = resolve(place);
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  try {
    await rm(await mkdtemp(join(there, '.fourfold-')), { recursive: true });
    const { bavail, bsize } = await statfs(there);
    const freeBytes = bavail * bsize;
    const detail = `${folder}, ${formatBytes(freeBytes)} free${more(freeBytes)}`;
    return { subject, ok: true, required: false, detail };
  } catch (error) {
    return { subject, ok: false, required: false, detail: `${describeError(error)}; ${hint}` };
  }
}

async function shardCache(folder: string): Promise<Finding> {
  const shards = await listCache(folder).catch(() => []);
  const heldBytes = shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { cacheBytes } = dataSchema.parse({});
  const count = formatCount(shards.length, 'shard');
  const holds = shards.length === 0 ? ', empty' : `, ${count} of ${formatBytes(heldBytes)}`;
  return examine('shard cache', folder, 'set data.cacheFolder to another place', (freeBytes) =>
    freeBytes + heldBytes < cacheBytes
      ? `${holds}; it may grow to ${formatBytes(cacheBytes)}, unless data.cacheBytes says less`
      : holds,
  );
}

const sharedMemory = (folder: string): Promise<Finding> =>
  existsSync(folder)
    ? examine('shared memory', folder, 'set exchange.folder to another place; without it gRPC is used', (freeBytes) =>
        freeBytes < 2 * paperBytes
          ? `; at the paper's size the coordinator and each worker take ${formatBytes(paperBytes)} of it`
          : '',
      )
    : Promise.resolve({
        ...{ subject: 'shared memory', ok: false, required: false },
        detail: `${folder} does not exist; gRPC is used`,
      });

const proxyVariables = /^(https?|grpc|all|no|no_grpc)_proxy$/i;

/** Which variables about proxies are set. Their values may hold passwords. */
export function proxies(environment: Environment): Finding {
  const names = Object.keys(environment)
    .filter((name) => proxyVariables.test(name) && environment[name])
    .sort();
  const isTaken = environment['FOURFOLD_GRPC_PROXY'] === '1';
  const use = isTaken
    ? 'gRPC to other hosts uses those in lower case: FOURFOLD_GRPC_PROXY is 1'
    : 'only the setup scripts use them';
  const detail = names.length > 0 ? `${names.join(', ')}: ${use}` : 'no variable is set';
  return { subject: 'proxies', ok: true, required: false, detail };
}
