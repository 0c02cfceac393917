/**
 * A new element. Data from the network is inserted as text or as an attribute's value, never as markup.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

const svgNamespace = 'http://www.w3.org/2000/svg';

/**
 * A new SVG element, as `element`.
 *
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
export function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * An element of index.html.
 *
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/**
 * Set an element's text if it differs, so that a reader's selection survives.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Terms and their values for a `dl`, each pair in a `div`.
 *
 * @param {HTMLElement} list
 * @param {[term: string, value: string][]} pairs
 */
export function setPairs(list, pairs) {
  while (list.children.length > pairs.length) list.lastElementChild?.remove();
  for (const [i, [term, value]] of pairs.entries()) {
    const pair = list.children[i] ?? list.appendChild(element('div', {}, element('dt'), element('dd')));
    setText(pair.children[0], term);
    setText(pair.children[1], value);
  }
}
