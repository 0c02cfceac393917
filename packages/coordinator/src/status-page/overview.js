import { byId, element, setPairs, setText } from './elements.js';
import { count, duration, fixed, short } from './format.js';

/** @typedef {import('../status/status.js').StatusSnapshot} StatusSnapshot */

/**
 * Name, state, progress and figures.
 *
 * @param {StatusSnapshot} status
 * @param {number} nowMs Unix time by the coordinator's clock
 */
export function showNow({ now, run, history }, nowMs) {
  const { state, iteration, iterations, remainingSeconds } = now;
  const share = iteration / iterations;
  const percent = `${Math.floor(share * 100)}%`;
  document.title = `${percent} · ${run.name} · fourfold`;
  setText(byId('run-name'), run.name);
  setText(byId('state'), state);
  byId('state').dataset['state'] = state;
  setText(byId('position'), `iteration ${count(iteration)} of ${count(iterations)}`);
  const left = remainingSeconds === undefined ? '' : ` · about ${duration(remainingSeconds)} left`;
  setText(byId('remaining'), percent + left);
  showPhases(run.phases, iteration, iterations);

  const { checkpoint, best } = now;
  const measured = history.evaluations.findLast(({ lpips }) => lpips !== undefined);
  const { total, ...parts } = now.losses;
  // A loss of one part is its own sum.
  const losses = Object.entries(total === parts['content'] ? parts : now.losses);
  const age = checkpoint && duration((nowMs - checkpoint.savedAtMs) / 1000);
  setPairs(byId('figures'), [
    ['phase', `${now.phase + 1} of ${run.phases.length}, ${now.phaseKind}`],
    ['pace', `${short(now.iterationsPerSecond)} iterations/s`],
    ['samples', `${short(now.samplesPerSecond)} /s`],
    ['learning rate', short(now.learningRate)],
    ...losses.map(/** @returns {[string, string]} */ ([name, value]) => [`${words(name)} loss`, short(value)]),
    ['best PSNR', best ? `${fixed(best.psnr, 2)} dB at ${count(best.iteration)}${beside(best)}` : 'none yet'],
    ...(measured
      ? [
          /** @type {[string, string]} */ ([
            'LPIPS',
            `${fixed(measured.lpips, 4)} at ${count(measured.iteration)}${besideLpips(measured)}`,
          ]),
        ]
      : []),
    [`last checkpoint${checkpoint ? `, ${age} ago` : ''}`, checkpoint ? checkpoint.name : 'none yet'],
    // Of interest once there has been another one.
    ...(now.term > 1 ? [/** @type {[string, string]} */ (['term (coordinators so far)', String(now.term)])] : []),
  ]);
}

/** @param {NonNullable<StatusSnapshot['now']['best']>} scores */
const beside = ({ bicubicPsnr }) => (bicubicPsnr === undefined ? '' : `, bicubic ${fixed(bicubicPsnr, 2)} dB`);

/** @param {StatusSnapshot['history']['evaluations'][number]} scores */
const besideLpips = ({ bicubicLpips }) => (bicubicLpips === undefined ? '' : `, bicubic ${fixed(bicubicLpips, 4)}`);

/** @param {StatusSnapshot['run']} run */
export function showConfig({ seed, generator, discriminator, data, loss, phases, validationEvery }) {
  const hasGan = phases.some(({ kind }) => kind === 'gan');
  setPairs(byId('config'), [
    ['generator', `${generator.blocks} blocks of ${generator.channels} channels`],
    ...(hasGan
      ? [
          /** @type {[string, string]} */ ([
            'discriminator',
            `${discriminator.channels} channels, dense ${discriminator.dense}`,
          ]),
        ]
      : []),
    [
      'batch',
      `${data.globalBatch} crops of ${data.crop}×${data.crop}, ${data.replicas} replica${data.replicas === 1 ? '' : 's'}`,
    ],
    ['content loss', loss.content],
    ...(hasGan ? [/** @type {[string, string]} */ (['adversarial weight', short(loss.adversarialWeight)])] : []),
    ['evaluation', validationEvery === undefined ? 'none' : `every ${count(validationEvery)} iterations`],
    ['seed', String(seed)],
    ...phases.map(
      /** @returns {[string, string]} */ ({ kind, iterations, learningRate, decay }, i) => [
        `phase ${i + 1}`,
        `${kind}, ${count(iterations)} iterations at ${short(learningRate)}${decay === 'constant' ? '' : `, ${decay}`}`,
      ],
    ),
  ]);
}

/**
 * A segment for each phase, in proportion to its share of the iterations.
 *
 * @param {StatusSnapshot['run']['phases']} phases
 * @param {number} iteration
 * @param {number} iterations
 */
function showPhases(phases, iteration, iterations) {
  const bar = byId('phases');
  bar.setAttribute('aria-valuenow', String(iteration));
  bar.setAttribute('aria-valuemax', String(iterations));
  if (bar.children.length !== phases.length) {
    bar.replaceChildren(
      ...phases.map(({ kind, iterations }) => {
        const segment = element('div', {}, element('i'), element('span', {}, kind));
        segment.style.flexGrow = String(iterations);
        return segment;
      }),
    );
  }
  let begin = 0;
  for (const [i, phase] of phases.entries()) {
    const done = Math.min(1, Math.max(0, (iteration - begin) / phase.iterations));
    const fill = /** @type {HTMLElement} */ (bar.children[i].firstElementChild);
    fill.style.width = `${done * 100}%`;
    begin += phase.iterations;
  }
}

/**
 * `discriminatorReal` as `discriminator real`.
 *
 * @param {string} name
 */
export const words = (name) => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
