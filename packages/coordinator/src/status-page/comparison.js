import { element, setText } from './elements.js';
import { count, fixed } from './format.js';
import { createPictureList } from './picture-list.js';

/** @typedef {import('../status/validation-pictures.js').PictureViews} PictureViews */

/**
 * Two views of a validation picture on top of each other, and a slider that sets how much of each is visible: bicubic
 * or the original on the left, the generator's SR on the right.
 *
 * @param {HTMLElement} target
 */
export function createComparison(target) {
  const stage = createStage();
  const pictureList = createPictureList((name) => {
    chosen = name;
    showChoice();
  });
  const iterationSelect = element('select');
  const referenceSelect = element('select');
  const scores = element('p', { class: 'scores' });
  const left = element('label', {}, 'left', referenceSelect);
  const right = element('label', {}, 'right, after iteration', iterationSelect);
  const viewed = element('div', { class: 'viewed' }, stage.element, scores);
  target.replaceChildren(
    element('div', { class: 'choices' }, left, right),
    element('div', { class: 'views' }, viewed, pictureList.list),
  );
  /** @type {readonly PictureViews[]} */
  let pictures = [];
  let chosen = '';
  let shown = '';

  /** Show the chosen views that exist. */
  function showChoice() {
    const picture = pictures.find(({ name }) => name === chosen) ?? pictures[0];
    if (!picture) return;
    const { name, results, bicubic, original } = picture;
    pictureList.show(pictures, name);
    setOptions(referenceSelect, [...(bicubic ? ['bicubic'] : []), ...(original ? ['original'] : [])].map(asOption));
    const newest = results[results.length - 1];
    setOptions(iterationSelect, [
      ['newest', `${count(newest.iteration)}, the newest`],
      ...results.slice(0, -1).reverse().map(iterationOption),
    ]);
    const result = results.find(({ iteration }) => String(iteration) === iterationSelect.value) ?? newest;
    const reference = referenceSelect.value;
    const iteration = count(result.iteration);
    stage.show(
      { key: reference === 'original' ? original : bicubic, name: reference, alt: `${name}, ${reference}` },
      { key: result.key, name: `iteration ${iteration}`, alt: `${name}, SR after iteration ${iteration}` },
    );
    setText(scores, `${name} after iteration ${iteration}: ${fixed(result.psnr, 2)} dB, SSIM ${fixed(result.ssim, 4)}`);
  }

  for (const select of [iterationSelect, referenceSelect]) select.addEventListener('change', showChoice);
  return {
    /** @param {readonly PictureViews[]} next */
    show(next) {
      const text = JSON.stringify(next);
      if (text === shown) return;
      shown = text;
      pictures = next;
      showChoice();
    },
  };
}

/** @typedef {{ key: string | undefined, name: string, alt: string }} View */

/** Two pictures on top of each other, and the slider between them. */
function createStage() {
  const images = { left: element('img'), right: element('img') };
  const names = { left: element('span', { class: 'name left' }), right: element('span', { class: 'name right' }) };
  const cut = element('i', { class: 'cut' });
  const slider = element('input', { type: 'range', min: 0, max: 100, value: 50, 'aria-label': 'how much of the left' });
  const stage = element('div', { class: 'stage' }, images.right, images.left, names.left, names.right, slider, cut);

  /** @param {number} percent */
  function moveTo(percent) {
    slider.value = String(percent);
    slider.setAttribute('aria-valuetext', `${slider.value}% ${names.left.textContent}`);
    stage.style.setProperty('--cut', `${percent}%`);
  }

  slider.addEventListener('input', () => moveTo(Number(slider.value)));
  // A press anywhere moves the slider; natively only its thumb responds.
  const follow = (/** @type {PointerEvent} */ { clientX, buttons, isPrimary }) => {
    const { left, width } = stage.getBoundingClientRect();
    if (buttons !== 0 && isPrimary) moveTo(Math.min(100, Math.max(0, ((clientX - left) / width) * 100)));
  };
  stage.addEventListener('pointerdown', (event) => {
    stage.setPointerCapture(event.pointerId);
    slider.focus({ preventScroll: true });
    follow(event);
    // Else the browser would drag the picture away.
    event.preventDefault();
  });
  stage.addEventListener('pointermove', follow);

  return {
    element: stage,
    /** @param {View} left @param {View} right */
    show(left, right) {
      for (const [side, { key, name, alt }] of /** @type {['left' | 'right', View][]} */ (
        Object.entries({ left, right })
      )) {
        const image = images[side];
        image.hidden = key === undefined;
        image.alt = alt;
        if (key !== undefined && image.getAttribute('src') !== key) image.src = key;
        setText(names[side], name);
      }
      moveTo(Number(slider.value));
    },
  };
}

/** @typedef {[value: string, text: string]} Option */

/** @param {string} name @returns {Option} */
const asOption = (name) => [name, name];

/** @param {{ iteration: number }} result @returns {Option} */
const iterationOption = ({ iteration }) => [String(iteration), count(iteration)];

/**
 * Set a select's options; its choice stays if it is still offered.
 *
 * @param {HTMLSelectElement} select
 * @param {Option[]} options
 */
function setOptions(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => element('option', { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}
