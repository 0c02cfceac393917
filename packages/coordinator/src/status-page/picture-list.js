import { element, setText } from './elements.js';
import { fixed } from './format.js';

/** @typedef {import('../status/validation-pictures.js').PictureViews} PictureViews */

/**
 * A list of pictures, each a button with its newest SR and PSNR. A button keeps its place and focus while its picture
 * stays.
 *
 * @param {(name: string) => void} onChoice
 */
export function createPictureList(onChoice) {
  const list = element('ul', { class: 'pictures' });
  /** @type {Map<string, ReturnType<typeof createItem>>} */
  let items = new Map();

  /** @param {string} name */
  function createItem(name) {
    const image = element('img', { alt: '' });
    const psnr = element('small');
    const button = element('button', { type: 'button' }, image, name, psnr);
    button.addEventListener('click', () => onChoice(name));
    return { item: element('li', {}, button), button, image, psnr };
  }

  return {
    list,
    /**
     * @param {readonly PictureViews[]} pictures
     * @param {string} chosen
     */
    show(pictures, chosen) {
      const isOther = pictures.length !== items.size || pictures.some(({ name }) => !items.has(name));
      if (isOther) {
        items = new Map(pictures.map(({ name }) => [name, createItem(name)]));
        list.replaceChildren(...[...items.values()].map(({ item }) => item));
      }
      for (const { name, results } of pictures) {
        const { button, image, psnr } = /** @type {ReturnType<typeof createItem>} */ (items.get(name));
        const newest = results[results.length - 1];
        button.setAttribute('aria-pressed', String(name === chosen));
        if (image.getAttribute('src') !== newest.key) image.src = newest.key;
        setText(psnr, `${fixed(newest.psnr, 2)} dB`);
      }
    },
  };
}
