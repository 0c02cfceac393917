import type { DashboardOptions, PanelOptions } from './panel.js';

const stat = (title: string, expr: string, unit: string, description: string): PanelOptions => ({
  ...{ title, description, unit, stat: true, queries: [{ expr, legend: title }] },
});

/** What the run learns: losses, quality, pace. */
export const training: DashboardOptions = {
  name: 'training',
  title: 'fourfold: training',
  description: 'Where a run stands, how fast it goes, and how good its generator is.',
  annotations: [
    {
      name: 'Phase',
      expr: 'fourfold_phase_kind{run=~"$run"} == 1 and on (run) changes(fourfold_phase{run=~"$run"}[1m]) > 0',
      title: 'phase: {{kind}}',
      color: 'blue',
    },
    {
      name: 'Learning rate',
      expr: 'count_values by (run) ("rate", fourfold_learning_rate{run=~"$run"}) and on (run) changes(fourfold_learning_rate{run=~"$run"}[1m]) > 0',
      title: 'learning rate {{rate}}',
      color: 'purple',
    },
  ],
  rows: [
    {
      title: 'Where it stands',
      panels: [
        stat('Iteration', 'fourfold_iteration{run=~"$run"}', 'short', 'Iterations that are done, over all phases.'),
        stat(
          'Done',
          'fourfold_iteration{run=~"$run"} / fourfold_schedule_iterations{run=~"$run"}',
          'percentunit',
          'Share of the schedule.',
        ),
        stat(
          'Time left',
          'fourfold_remaining_seconds{run=~"$run"}',
          's',
          'At the pace of the newest fifty iterations.',
        ),
        stat('Phase', 'fourfold_phase{run=~"$run"}', 'short', 'Phase of the schedule, from 0.'),
        stat('Learning rate', 'fourfold_learning_rate{run=~"$run"}', 'sci', 'Of the next update.'),
        stat(
          'Checkpoint age',
          'fourfold_checkpoint_age_seconds{run=~"$run"}',
          's',
          'What a loss of the coordinator would cost.',
        ),
      ],
    },
    {
      title: 'Quality',
      panels: [
        {
          title: 'PSNR',
          description: 'Of the newest evaluation, of the best one and of bicubic, on Y, mean over the set.',
          unit: 'dB',
          queries: [
            { expr: 'fourfold_validation_psnr_decibels{run=~"$run"}', legend: '{{set}}' },
            { expr: 'fourfold_validation_best_psnr_decibels{run=~"$run"}', legend: '{{set}}, best' },
            { expr: 'fourfold_validation_bicubic_psnr_decibels{run=~"$run"}', legend: '{{set}}, bicubic' },
          ],
        },
        {
          title: 'SSIM',
          description: 'Of the newest evaluation and of bicubic, on Y, mean over the set.',
          unit: 'short',
          queries: [
            { expr: 'fourfold_validation_ssim_ratio{run=~"$run"}', legend: '{{set}}' },
            { expr: 'fourfold_validation_bicubic_ssim_ratio{run=~"$run"}', legend: '{{set}}, bicubic' },
          ],
        },
      ],
    },
    {
      title: 'Losses',
      panels: [
        {
          title: 'Generator',
          description: 'By term, of the newest update, mean over replicas.',
          unit: 'short',
          queries: [{ expr: 'fourfold_loss{run=~"$run", network="generator"}', legend: '{{term}}' }],
        },
        {
          title: 'Discriminator',
          description:
            'On originals and on the generator’s pictures. Both near 0: the generator learns nothing more from it; both at 0.69: it cannot tell them apart.',
          unit: 'short',
          queries: [{ expr: 'fourfold_loss{run=~"$run", network="discriminator"}', legend: '{{term}}' }],
        },
      ],
    },
    {
      title: 'Pace',
      panels: [
        {
          title: 'Iterations a second',
          description: 'Measured by Prometheus.',
          unit: 'short',
          queries: [
            { expr: 'rate(fourfold_iterations_total{run=~"$run"}[$__rate_interval])', legend: 'iterations a second' },
          ],
        },
        {
          title: 'Training pairs a second',
          description: 'Iterations a second times the global batch.',
          unit: 'short',
          queries: [{ expr: 'rate(fourfold_samples_total{run=~"$run"}[$__rate_interval])', legend: 'pairs a second' }],
        },
      ],
    },
  ],
};
