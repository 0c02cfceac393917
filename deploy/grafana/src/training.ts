import { chosen, type DashboardOptions, type PanelOptions } from './panel.js';

const stat = (title: string, expr: string, unit: string, description: string): PanelOptions => ({
  ...{ title, description, unit, stat: true, queries: [{ expr, legend: title }] },
});

/** Progress of the run: losses, quality, pace. */
export const training: DashboardOptions = {
  name: 'training',
  title: 'fourfold: training',
  description: 'A run’s position in its schedule, its pace, and the quality of its generator.',
  annotations: [
    {
      name: 'Phase',
      expr: `fourfold_phase_kind{${chosen}} == 1 and on (namespace, run) changes(fourfold_phase{${chosen}}[1m]) > 0`,
      title: 'phase: {{kind}}',
      color: 'blue',
    },
    {
      // Only steps: a rate that falls at every iteration would give a line at each.
      name: 'Learning rate',
      expr: `count_values by (namespace, run) ("rate", fourfold_learning_rate{${chosen}}) and on (namespace, run) changes(fourfold_learning_rate{${chosen}}[1m]) > 0 unless on (namespace, run) changes(fourfold_learning_rate{${chosen}}[5m]) > 1`,
      title: 'learning rate {{rate}}',
      color: 'purple',
    },
  ],
  rows: [
    {
      title: 'Progress',
      panels: [
        stat('Iteration', `fourfold_iteration{${chosen}}`, 'short', 'Iterations done, over all phases.'),
        stat(
          'Done',
          `fourfold_iteration{${chosen}} / fourfold_schedule_iterations{${chosen}}`,
          'percentunit',
          'Share of the schedule.',
        ),
        stat('Time left', `fourfold_remaining_seconds{${chosen}}`, 's', 'At the pace of the last fifty iterations.'),
        stat('Phase', `fourfold_phase{${chosen}}`, 'short', 'Phase of the schedule, counted from 0.'),
        stat('Learning rate', `fourfold_learning_rate{${chosen}}`, 'sci', 'Of the next update.'),
        stat(
          'Checkpoint age',
          `fourfold_checkpoint_age_seconds{${chosen}}`,
          's',
          'The time that losing the coordinator would cost.',
        ),
      ],
    },
    {
      title: 'Quality',
      panels: [
        {
          title: 'PSNR',
          description: 'Newest evaluation, best evaluation and bicubic, on Y, mean over the set.',
          unit: 'dB',
          queries: [
            { expr: `fourfold_validation_psnr_decibels{${chosen}}`, legend: '{{set}}' },
            { expr: `fourfold_validation_best_psnr_decibels{${chosen}}`, legend: '{{set}}, best' },
            { expr: `fourfold_validation_bicubic_psnr_decibels{${chosen}}`, legend: '{{set}}, bicubic' },
          ],
        },
        {
          title: 'SSIM',
          description: 'Newest evaluation and bicubic, on Y, mean over the set.',
          unit: 'short',
          queries: [
            { expr: `fourfold_validation_ssim_ratio{${chosen}}`, legend: '{{set}}' },
            { expr: `fourfold_validation_bicubic_ssim_ratio{${chosen}}`, legend: '{{set}}, bicubic' },
          ],
        },
        {
          title: 'LPIPS',
          description:
            'Perceptual distance at the newest evaluation, and bicubic’s, mean over the set; lower is better. Empty unless validation.lpips is set.',
          unit: 'short',
          queries: [
            { expr: `fourfold_validation_lpips{${chosen}}`, legend: '{{set}}, {{network}}' },
            { expr: `fourfold_validation_bicubic_lpips{${chosen}}`, legend: '{{set}}, {{network}}, bicubic' },
          ],
        },
      ],
    },
    {
      title: 'Losses',
      panels: [
        {
          title: 'Generator',
          description: 'By term, at the newest update, mean over replicas.',
          unit: 'short',
          queries: [{ expr: `fourfold_loss{${chosen}, network="generator"}`, legend: '{{term}}' }],
        },
        {
          title: 'Discriminator',
          description:
            'On originals and on the generator’s pictures. Both near 0: the generator learns nothing more from it; both at 0.69: it cannot tell them apart.',
          unit: 'short',
          queries: [{ expr: `fourfold_loss{${chosen}, network="discriminator"}`, legend: '{{term}}' }],
        },
      ],
    },
    {
      title: 'Pace',
      panels: [
        {
          title: 'Iterations per second',
          description: 'Measured by Prometheus.',
          unit: 'short',
          queries: [
            { expr: `rate(fourfold_iterations_total{${chosen}}[$__rate_interval])`, legend: 'iterations per second' },
          ],
        },
        {
          title: 'Training pairs per second',
          description: 'Iterations per second times the global batch.',
          unit: 'short',
          queries: [{ expr: `rate(fourfold_samples_total{${chosen}}[$__rate_interval])`, legend: 'pairs per second' }],
        },
      ],
    },
  ],
};
