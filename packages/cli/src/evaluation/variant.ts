import { z } from '@fourfold/common/zod';

/** The keys that decide the variant in a checkpoint's config, which may be an older version's. */
const schema = z.object({
  phases: z.array(z.object({ kind: z.enum(['mse', 'content', 'gan']), iterations: z.number() })).min(1),
  loss: z.object({ content: z.enum(['mse', 'vgg22', 'vgg54']) }),
});

/**
 * Which of the paper's variants, such as `SRGAN-VGG54`, a run's generator is after a number of iterations: its last loss
 * decides. Undefined if the config does not say, or names another loss.
 */
export function variantOf(config: unknown, iteration: number): string | undefined {
  const parsed = schema.safeParse(config);
  if (!parsed.success) return undefined;
  const { phases, loss } = parsed.data;
  let end = 0;
  const { kind } = phases.find(({ iterations }) => iteration <= (end += iterations)) ?? phases[phases.length - 1];
  const content = kind === 'mse' ? 'mse' : loss.content;
  return `${kind === 'gan' ? 'SRGAN' : 'SRResNet'}-${content.toUpperCase()}`;
}
