import { describeError, failureCode, failureCodes, type FailureCode } from '@fourfold/common';
import { z } from 'zod';

/*
 * A part says to the process that started it why it ends, over the channel between the two. Its last line on stderr may be anybody's.
 */

const leavingSchema = z.object({
  leaving: z.object({ code: z.enum(failureCodes), reason: z.string() }),
});

/** Why a part ends. */
export interface Leaving {
  code: FailureCode;
  /** On one line, with what to do about it. */
  reason: string;
}

/** What a message of a child says of its end, if it is about that. */
export const readLeaving = (message: unknown): Leaving | undefined => leavingSchema.safeParse(message).data?.leaving;

/** Tell the parent, where there is one that listens, why this process ends; resolves when that is on its way. */
export async function tellParent(error: unknown): Promise<void> {
  if (!process.send || !process.connected) return;
  const leaving: Leaving = { code: failureCode(error), reason: describeError(error) };
  // Whatever becomes of the message, the process ends.
  await new Promise<void>((resolve) => process.send?.({ leaving }, undefined, undefined, () => resolve()));
}
