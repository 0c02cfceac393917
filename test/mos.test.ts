import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser } from '@fourfold/local-servers';
import { openBrowser, type BrowserPage } from './support/browser.js';
import { fourfold, killAll, photographs, startFourfold, type Process } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * An opinion test from end to end: prepared, rated in a real browser, interrupted, resumed, reported.
 */

interface Rating {
  version: string;
  kind: string;
  score: number;
}
interface Study {
  versions: { id: string; picture: string; method: string }[];
  calibration: { id: string; expected: number }[];
}
interface Report {
  opinions: { method: string; ratings: number; mean: number; interval: number; distribution: number[] }[];
  raters: {
    rater: string;
    done: number;
    repeats: number;
    equalShare: number;
    calibrationError: number;
    pixelRatios: number[];
  }[];
}

const methods = ['nearest', 'bicubic', 'lanczos', 'original'];
const pictures = 10;
const repeats = 6;

/** In the page: where the picture is shown, in display pixels. */
function shownPlace() {
  const { left, top, width } = document.querySelector('#picture')!.getBoundingClientRect();
  const ratio = devicePixelRatio;
  return { ratio, left: left * ratio, top: top * ratio, width: width * ratio };
}

/** In the page: how large the picture is shown, and whether all of it can be scrolled to. */
function shownSizes() {
  const picture = document.querySelector('#picture') as HTMLImageElement;
  const view = document.querySelector('#view') as HTMLElement;
  const { left, top } = picture.getBoundingClientRect();
  const from = view.getBoundingClientRect();
  return {
    shown: [picture.clientWidth, picture.clientHeight],
    isWhole: left >= from.left && top >= from.top && view.scrollWidth >= 160 && view.scrollHeight >= 120,
  };
}

/** What the page says if a study has calibration. */
const calibrated = 'what a 1 and a 5 look like';
const trials = methods.length * pictures + repeats + 2;

describe.skipIf(lacks('browser', !!findBrowser()))(
  'an opinion test (after npm run setup:servers, which finds or installs a browser)',
  () => {
    let folder: string;
    let study: string;
    let browser: BrowserPage;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'fourfold-mos-'));
      study = join(folder, 'study');
      const [images, calibration] = [join(folder, 'images'), join(folder, 'calibration')];
      await Promise.all([mkdir(images), mkdir(calibration)]);
      const train = join(photographs, 'train');
      const names = (await readdir(train)).sort().slice(0, pictures + 1);
      for (const [i, name] of names.entries()) {
        const small = sharp(join(train, name)).resize(161, 122, { fit: 'cover' }).png();
        await small.toFile(join(i < pictures ? images : calibration, `${name}.png`));
      }
      const options = ['--images', images, '--calibration', calibration, '--out', study, '--repeats', String(repeats)];
      const prepared = await fourfold([
        'mos',
        'prepare',
        ...options,
        ...methods.flatMap((method) => ['--method', method]),
      ]);
      expect(prepared).toMatchObject({ code: 0 });
      expect(await fourfold(['mos', 'prepare', ...options, '--method', 'nearest'])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${study} already holds a study`) as string,
      });
    });
    afterEach(async () => {
      await browser.close();
      await killAll();
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    async function serve(place = study): Promise<{ server: Process; url: string }> {
      const server = startFourfold(['mos', 'serve', place, '--http', '127.0.0.1:0']);
      const url = () => /http:\/\/\S+/.exec(server.output())?.[0];
      await expect.poll(url).toBeTruthy();
      return { server, url: url() as string };
    }

    const read = async <T>(file: string) => JSON.parse(await readFile(join(study, file), 'utf8')) as T;
    async function storedBy(rater: string): Promise<Rating[]> {
      const text = await readFile(join(study, 'ratings', `${rater}.jsonl`), 'utf8');
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Rating);
    }

    async function enter(url: string, rater: string, pixelRatio?: number): Promise<void> {
      browser = await openBrowser({ pixelRatio });
      await browser.page.goto(url);
      await browser.page.fill('#rater', rater);
      await browser.page.click('#enter button');
    }

    /** Wait until the page asks whether the rater is the one who has rated `done`. */
    async function toBeAsked(rater: string, done: number): Promise<void> {
      const question = `${rater} has rated ${done} of ${trials}. Continue, or use another name.`;
      await browser.page.locator('#resume:visible', { hasText: question }).waitFor();
      expect(await browser.page.locator('#trial').isVisible()).toBe(false);
    }

    /** Wait until the picture at `position` is seen: keys pressed earlier are ignored. */
    async function toBeRated(position: number): Promise<void> {
      await browser.page.locator('#position', { hasText: new RegExp(`^${position + 1} of ${trials}$`) }).waitFor();
      await browser.page.locator('#scores button:enabled').first().waitFor();
    }

    /** Rate by the picture's method, with some exceptions, by key or by mouse, until `count` are done. */
    async function rate(from: number, count: number, scoreOf: (id: string, position: number) => number): Promise<void> {
      const { page } = browser;
      for (let position = from; position < count; position++) {
        await toBeRated(position);
        const id = /([0-9a-f]{16})\.png/.exec((await page.locator('#picture').getAttribute('src')) ?? '')?.[1] ?? '';
        const score = scoreOf(id, position);
        const stored = page.waitForResponse((response) => response.url().endsWith('/rating'));
        if (position % 2) await page.keyboard.press(String(score));
        else
          await page
            .locator('#scores button')
            .nth(score - 1)
            .click();
        await stored;
      }
    }

    test('4 methods and 10 pictures, interrupted and resumed; the report agrees with the stored ratings', async () => {
      const { versions, calibration } = await read<Study>('study.json');
      const methodOf = new Map(versions.map(({ id, method }) => [id, method]));
      const score = (id: string, position: number) => {
        const expected = calibration.find((version) => version.id === id)?.expected;
        return expected ?? Math.min(5, 1 + methods.indexOf(methodOf.get(id) ?? '') + (position % 3 === 0 ? 1 : 0));
      };
      const first = await serve();
      await enter(first.url, 'ada');
      await rate(0, 20, score);
      await toBeRated(20);
      first.server.child.kill('SIGKILL');
      // A rating that the server cannot store is reported, and can be repeated.
      await browser.page.keyboard.press('3');
      await browser.page.locator('#problem', { hasText: 'try again' }).waitFor();
      await browser.close();
      expect(await storedBy('ada')).toHaveLength(20);

      // A URL names the same folder.
      const second = await serve(pathToFileURL(study).href);
      await enter(second.url, 'ada');
      await toBeAsked('ada', 20);
      await browser.page.keyboard.press('Enter');
      await toBeRated(20);
      const asked: string[] = [];
      browser.page.on('request', (request) => asked.push(request.url()));
      for (const key of ['Control+1', 'Alt+2', 'Meta+3']) await browser.page.keyboard.press(key);
      await browser.page.waitForTimeout(200);
      expect(asked.filter((url) => url.endsWith('/rating'))).toEqual([]);
      await rate(20, trials, score);
      await browser.page.locator('#end').waitFor();
      expect(browser.problems).toEqual([]);
      await browser.close();
      // A second person with the same name is not taken for the first.
      await enter(second.url, 'ada');
      await toBeAsked('ada', trials);
      await browser.page.keyboard.press('Tab');
      await browser.page.keyboard.press('Enter');
      expect(await browser.page.locator('#enter').innerText()).toContain(calibrated);
      await browser.page.keyboard.type('bob');
      await browser.page.keyboard.press('Enter');
      await toBeRated(0);
      for (const window of [
        { width: 120, height: 900 },
        { width: 1200, height: 140 },
      ]) {
        await browser.page.setViewportSize(window);
        expect(await browser.page.evaluate(shownSizes)).toEqual({ shown: [160, 120], isWhole: true });
      }
      await browser.page.setViewportSize({ width: 1280, height: 720 });
      await rate(0, 12, (id) => score(id, 1));
      // A rating repeated after a lost answer is stored once.
      const again = { method: 'POST', headers: { 'content-type': 'application/json' } };
      const body = JSON.stringify({ rater: 'bob', position: 11, score: 5, pixelRatio: 1 });
      expect(await (await fetch(`${second.url}rating`, { ...again, body })).json()).toMatchObject({ done: 12 });
      const good = { rater: 'bob', position: 12, score: 5, pixelRatio: 1 };
      const wrong = [{ rater: '../x' }, { score: 6 }, { pixelRatio: 0 }, { pixelRatio: undefined }];
      for (const bad of [...wrong.map((fields) => JSON.stringify({ ...good, ...fields })), '{']) {
        expect((await fetch(`${second.url}rating`, { ...again, body: bad })).status).toBe(400);
      }
      second.server.child.kill('SIGTERM');
      expect(await second.server.exit).toEqual({ code: 143, signal: null });

      const [ada, bob] = [await storedBy('ada'), await storedBy('bob')];
      expect([ada.length, bob.length]).toEqual([trials, 12]);
      expect(ada.slice(0, 2).map((rating) => rating.score)).toEqual([1, 5]);
      const figure = join(folder, 'figures', 'opinions.png');
      const { code, stdout } = await fourfold([
        'mos',
        'report',
        pathToFileURL(study).href,
        '--json',
        '--figure',
        figure,
      ]);
      expect(code).toBe(0);
      const { opinions, raters } = JSON.parse(stdout) as Report;
      for (const [i, method] of methods.entries()) {
        const scores = [...ada, ...bob]
          .filter(({ kind, version }) => kind === 'rating' && methodOf.get(version) === method)
          .map((rating) => rating.score);
        const mean = scores.reduce((sum, value) => sum + value, 0) / scores.length;
        expect(opinions[i]).toMatchObject({ method, ratings: scores.length });
        expect(opinions[i].mean).toBeCloseTo(mean, 12);
        expect(opinions[i].distribution).toEqual([1, 2, 3, 4, 5].map((at) => scores.filter((s) => s === at).length));
        expect(opinions[i].interval).toBeGreaterThan(0);
      }
      expect(raters[0]).toMatchObject({ rater: 'ada', done: trials, repeats, calibrationError: 0, pixelRatios: [1] });
      expect(await sharp(figure).metadata()).toMatchObject({ format: 'png', width: 1200 });
    });

    test('on a display of 125%, and zoomed, the very pixels are shown; no calibration is announced if there is none', async () => {
      const [images, plain] = [join(folder, 'two-images'), join(folder, 'plain')];
      await mkdir(images);
      for (const width of [164, 324]) {
        const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
        const create = { width, height: 124, channels: 3, background: 'black', noise } as const;
        await sharp({ create })
          .png()
          .toFile(join(images, `${width}.png`));
      }
      const options = ['--images', images, '--out', plain, '--method', 'original'];
      expect(await fourfold(['mos', 'prepare', ...options])).toMatchObject({ code: 0 });
      const { url } = await serve(plain);
      await enter(url, 'ada', 1.25);
      const { page } = browser;
      for (const [position, zoom] of [1, 1.5].entries()) {
        await page.locator('#position', { hasText: `${position + 1} of 2` }).waitFor();
        await page.locator('#scores button:enabled').first().waitFor();
        // The second one is on the page already when the ratio changes.
        await browser.zoom(zoom);
        const file = join(plain, (await page.locator('#picture').getAttribute('src')) ?? '');
        const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
        const shown = () => page.evaluate(shownPlace);
        await expect.poll(shown).toMatchObject({ ratio: 1.25 * zoom, width: expect.closeTo(info.width, 3) as number });
        const { left, top } = await shown();
        const place = { left: Math.round(left), top: Math.round(top), width: info.width, height: info.height };
        const screen = sharp(await page.screenshot()).extract(place);
        expect((await screen.removeAlpha().raw().toBuffer()).equals(data)).toBe(true);
        await page.keyboard.press('3');
      }
      await page.locator('#end').waitFor();
      await page.goto(url, { waitUntil: 'networkidle' });
      expect(await page.locator('#enter').innerText()).not.toContain(calibrated);
      const { stdout } = await fourfold(['mos', 'report', plain, '--json']);
      expect((JSON.parse(stdout) as Report).raters).toMatchObject([
        { rater: 'ada', done: 2, pixelRatios: [1.25, 1.875] },
      ]);
      expect(browser.problems).toEqual([]);
    });
  },
);
