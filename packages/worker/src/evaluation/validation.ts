import { FourfoldError } from '@fourfold/common';
import { maxScores } from '@fourfold/rpc';
import { openMeasuredSet, type MeasuredSet } from '@fourfold/data-loader';

/** A run's validation pictures. Throws `invalid` if there are none, or more than one evaluation can measure. */
export async function openValidation(images: string): Promise<MeasuredSet> {
  const set = await openMeasuredSet(images);
  const { length } = set.photographs;
  if (length <= maxScores) return set;
  await set.close();
  throw new FourfoldError('invalid', `${images} holds ${length} pictures; at most ${maxScores} can be measured`);
}
