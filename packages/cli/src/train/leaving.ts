import { describeError, failureCode, failureCodes, type FailureCode } from '@fourfold/common';
import { z } from '@fourfold/common/zod';

/*
 * A part reports why it ends to the process that started it, over the channel between the two. Its last line on stderr may come
 * from anything.
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

/** The reason in a child's message, if it is about its end. */
export const readLeaving = (message: unknown): Leaving | undefined => leavingSchema.safeParse(message).data?.leaving;

/** Tell the parent, if one listens, why this process ends; resolves when the message is on its way. */
export async function tellParent(error: unknown): Promise<void> {
  if (!process.send || !process.connected) return;
  const leaving: Leaving = { code: failureCode(error), reason: describeError(error) };
  // The process ends even if the message is lost.
  await new Promise<void>((resolve) => process.send?.({ leaving }, undefined, undefined, () => resolve()));
}
