// The rating page: one picture at a time, a score by key or button, the next one as soon as the last is stored.

/** @typedef {{ position: number, picture: string, expected?: number }} Trial */
/** @typedef {{ done: number, total: number, trial?: Trial, next?: string }} Progress */

const words = ['bad', 'poor', 'fair', 'good', 'excellent'];
let rater = '';
/** What is rated now; undefined while nothing can be. @type {Trial | undefined} */
let trial;

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 */
function find(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`);
  return found;
}

const page = {
  enter: find('enter', HTMLFormElement),
  calibration: find('calibration', HTMLElement),
  rater: find('rater', HTMLInputElement),
  resume: find('resume', HTMLFormElement),
  rated: find('rated', HTMLElement),
  goOn: find('go-on', HTMLButtonElement),
  otherName: find('other-name', HTMLButtonElement),
  trial: find('trial', HTMLElement),
  end: find('end', HTMLElement),
  view: find('view', HTMLElement),
  picture: find('picture', HTMLImageElement),
  expected: find('expected', HTMLElement),
  scores: find('scores', HTMLElement),
  progress: find('progress', HTMLProgressElement),
  position: find('position', HTMLElement),
  problem: find('problem', HTMLElement),
};

void ask('/study', showStudy);
page.enter.addEventListener('submit', (event) => {
  event.preventDefault();
  rater = page.rater.value;
  void askTrial(showResumed);
});
page.resume.addEventListener('submit', (event) => {
  event.preventDefault();
  void askTrial(show);
});
page.otherName.addEventListener('click', () => {
  page.resume.hidden = true;
  page.enter.hidden = false;
  page.rater.select();
});
for (const [i, word] of words.entries()) {
  const button = document.createElement('button');
  button.textContent = `${i + 1} ${word}`;
  button.addEventListener('click', () => rate(i + 1));
  page.scores.append(button);
}
setTrial(undefined);
document.addEventListener('keydown', ({ key, repeat, ctrlKey, metaKey, altKey }) => {
  // With one of these keys a digit is the browser's: it switches tabs.
  if (repeat || ctrlKey || metaKey || altKey) return;
  if (/^[1-5]$/.test(key)) rate(Number(key));
});

/** Each picture pixel is one display pixel: resampling would blur what is judged. */
function fitPicture() {
  page.picture.style.width = `${page.picture.naturalWidth / devicePixelRatio}px`;
}

/** The ratio changes with the browser's zoom, and when the window moves to another display. */
function watchPixelRatio() {
  const changed = () => {
    fitPicture();
    watchPixelRatio();
  };
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener('change', changed, { once: true });
}
watchPixelRatio();

/** @param {Trial | undefined} next */
function setTrial(next) {
  trial = next;
  for (const button of page.scores.querySelectorAll('button')) button.disabled = !next;
}

/** @param {number} score */
async function rate(score) {
  const rated = trial;
  if (!rated) return;
  setTrial(undefined);
  const body = JSON.stringify({ rater, position: rated.position, score, pixelRatio: devicePixelRatio });
  const isStored = await ask('/rating', show, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  if (!isStored) setTrial(rated);
}

/** @param {(progress: Progress) => void | Promise<void>} use */
function askTrial(use) {
  return ask(`/trial?rater=${encodeURIComponent(rater)}`, use);
}

/**
 * Ask the server, and show its answer; false if it did not answer.
 *
 * @template T
 * @param {string} path
 * @param {(answer: T) => void | Promise<void>} use
 * @param {RequestInit} [options]
 */
async function ask(path, use, options) {
  try {
    const response = await fetch(path, options);
    if (!response.ok) throw new Error(await response.text());
    page.problem.textContent = '';
    await use(await response.json());
    return true;
  } catch (error) {
    page.problem.textContent = `That did not work, try again: ${error instanceof Error ? error.message.trim() : error}`;
    return false;
  }
}

/** @param {{ hasCalibration: boolean }} study */
function showStudy({ hasCalibration }) {
  page.calibration.hidden = !hasCalibration;
}

/** A name that has rated may be somebody else's: ask before continuing. @param {Progress} progress */
async function showResumed(progress) {
  if (progress.done === 0) return show(progress);
  page.rated.textContent = `${rater} has rated ${progress.done} of ${progress.total}. Continue, or use another name.`;
  page.enter.hidden = true;
  page.resume.hidden = false;
  page.goOn.focus();
}

/** @param {Progress} progress */
async function show({ done, total, trial: shown, next }) {
  page.enter.hidden = true;
  page.resume.hidden = true;
  page.trial.hidden = !shown;
  page.end.hidden = Boolean(shown);
  if (!shown) return;
  const { picture, expected } = shown;
  page.progress.max = total;
  page.progress.value = done;
  page.position.textContent = `${done + 1} of ${total}`;
  page.expected.textContent = expected ? `This is a ${expected} (${words[expected - 1]}): press ${expected}` : '';
  page.picture.hidden = true;
  page.picture.src = picture;
  page.view.scrollTo(0, 0);
  // It can be rated once it is seen, not before.
  await page.picture.decode();
  fitPicture();
  page.picture.hidden = false;
  setTrial(shown);
  if (next) new Image().src = next;
}
