import type { Command } from 'commander';
import { abortOnInterruption } from '../interruption.js';

/** `fourfold demo`. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .summary('train a small SRGAN on the example photographs and show the results')
    .description(
      'Prepare the example photographs, train a small SRGAN with two workers, measure it on photographs that it has not ' +
        'seen, and write out/demo/report.json, curves.png and comparison.png. An existing demo is replaced.',
    )
    .option('--quick', 'train and measure briefly: every step, but no quality', false)
    .action(async ({ quick }: { quick: boolean }) => {
      const { runDemo } = await import('../demo/run-demo.js');
      await runDemo(quick, abortOnInterruption());
    });
}
