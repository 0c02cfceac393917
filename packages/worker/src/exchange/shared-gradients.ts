import { createSharedFile, tokenName, type OwnFile, type SharedFile__Output, type Token__Output } from '@fourfold/rpc';
import { describeError, FourfoldError, type ExchangeConfig, type Logger } from '@fourfold/common';

/** Gradients in shared memory, by token. Files are reused for the same length, so that their memory is already allocated. */
export interface SharedGradients {
  /** Whether the coordinator reads shared memory from now on. */
  use(isShared: boolean): void;
  /**
   * Write a gradient's wire vector; resolves with where it is, or with undefined if it has to cross in another way. Throws `invalid`
   * if the config insists on shared memory, and it is full or no file of it can be opened.
   */
  put(token: Token__Output, gradient: Uint8Array): Promise<SharedFile__Output | undefined>;
  /** The gradient, if there is one, is no longer needed. */
  release(token: Token__Output): void;
  clear(): void;
  close(): Promise<void>;
}

interface Slot {
  file: OwnFile;
  byteLength: number;
}

export function createSharedGradients(
  { transport, folder }: Pick<ExchangeConfig, 'transport' | 'folder'>,
  log: Logger,
): SharedGradients {
  const held = new Map<string, Slot>();
  const free: Slot[] = [];
  let isUsed = false;
  let isFull = false;

  /** A slot with the gradient in it; undefined if it has to cross in another way. */
  async function write(kept: Slot | undefined, token: Token__Output, gradient: Uint8Array): Promise<Slot | undefined> {
    let file = kept?.file;
    try {
      file ??= await createSharedFile(folder);
      await file.write(token, gradient);
      return { file, byteLength: gradient.byteLength };
    } catch (error) {
      await file?.close();
      const isExpected = error instanceof FourfoldError && ['no-space', 'unavailable'].includes(error.code);
      if (!isExpected) throw error;
      // All workers of a run that insists on shared memory are on one host: none has more.
      if (transport === 'shared-memory')
        throw new FourfoldError('invalid', error.message, { ...error.options, cause: error });
      // Two gradients may find it full at a time.
      const about = { event: 'no-shared-memory', reason: describeError(error) };
      if (!isFull) log.warn(about, 'further gradients are pulled');
      isFull = true;
      return undefined;
    }
  }

  return {
    use(isShared) {
      isUsed = isShared;
    },
    async put(token, gradient) {
      if (!isUsed) return undefined;
      const { byteLength } = gradient;
      const index = free.findIndex((slot) => slot.byteLength === byteLength);
      if (index < 0 && isFull) return undefined;
      const slot = await write(index < 0 ? undefined : free.splice(index, 1)[0], token, gradient);
      if (!slot) return undefined;
      held.set(tokenName(token), slot);
      return slot.file.place;
    },
    release(token) {
      const slot = held.get(tokenName(token));
      if (slot && held.delete(tokenName(token))) free.push(slot);
    },
    clear() {
      free.push(...held.values());
      held.clear();
    },
    async close() {
      const slots = [...held.values(), ...free.splice(0)];
      held.clear();
      for (const { file } of slots) await file.close();
    },
  };
}
