import { createSharedFile, type OwnFile } from '@fourfold/rpc';
import { describeError, type ExchangeConfig, type Logger, type Network } from '@fourfold/common';
import type { Master } from '../updates/master.js';

/** The networks' parameters in this machine's shared memory. */
export interface ParameterFiles {
  /** Each network's file; none without shared memory. */
  places(): { network: Network; place: OwnFile['place'] }[];
  /**
   * Write each network that has a new version. Resolves with the bytes written. Throws `no-space` if the config insists
   * on shared memory and it is full; otherwise there are no files from then on, and workers pull.
   */
  publish(term: number, master: Pick<Master, 'versions' | 'state'>): Promise<number>;
  close(): Promise<void>;
}

/** Make the files. Without shared memory there are none; throws `unavailable` if the config insists on it. */
export async function openParameterFiles(
  { transport, folder }: Pick<ExchangeConfig, 'transport' | 'folder'>,
  networks: readonly Network[],
  log: Logger,
): Promise<ParameterFiles> {
  const files = new Map<Network, { file: OwnFile; version?: number }>();

  async function close(): Promise<void> {
    const open = [...files.values()];
    files.clear();
    for (const { file } of open) await file.close();
  }

  /** Continue without files, unless the config insists. */
  async function withoutSharedMemory(error: unknown): Promise<void> {
    await close();
    if (transport === 'shared-memory') throw error;
    log.info({ event: 'no-shared-memory', reason: describeError(error) }, 'parameters are pulled');
  }

  if (transport === 'auto' || transport === 'shared-memory') {
    try {
      for (const network of networks) files.set(network, { file: await createSharedFile(folder) });
    } catch (error) {
      await withoutSharedMemory(error);
    }
  }

  return {
    places: () => [...files].map(([network, { file }]) => ({ network, place: file.place })),
    async publish(term, master) {
      let bytes = 0;
      try {
        for (const [network, published] of files) {
          const version = master.versions()[network];
          if (published.version === version) continue;
          const { wire } = master.state(network);
          await published.file.write({ term, number: version }, wire);
          published.version = version;
          bytes += wire.byteLength;
        }
      } catch (error) {
        await withoutSharedMemory(error);
      }
      return bytes;
    },
    close,
  };
}
