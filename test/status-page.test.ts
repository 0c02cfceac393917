import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser } from '@fourfold/local-servers';
import { openBrowser, type BrowserPage } from './support/browser.js';
import { expectFinished, killAll, photographs, startFourfold, type Process } from './support/process.js';
import { prepareSmallRuns, type SmallRun, type SmallRuns } from './support/small-run.js';
import { lacks } from './support/needs.mjs';
import { unhurried } from './support/unhurried/unhurried.js';

/*
 * The status page in a real browser, over real runs: it follows them, whatever is killed.
 */

/** A name that would show if it were taken for markup. */
const wickedName = "<img src=x onerror=document.title='owned'>.jpg";
const waiting = { timeout: 120_000, interval: 100 };

describe.skipIf(lacks('browser', !!findBrowser()))(
  'status page (after npm run setup:servers, which finds or installs a browser)',
  () => {
    let runs: SmallRuns;
    let browser: BrowserPage;

    beforeAll(async () => {
      runs = await prepareSmallRuns();
      const images = join(runs.folder, 'images');
      await mkdir(images);
      // As wide as the page shows them, and low: each is evaluated many times.
      const strip = (name: string) => sharp(join(photographs, 'held-out', name)).resize(512, 96, { fit: 'cover' });
      await strip('hedgehog.jpg').toFile(join(images, wickedName));
      await strip('coffee.png').toFile(join(images, 'coffee.png'));
    });
    afterEach(async () => {
      await browser.close();
      await killAll();
    });
    afterAll(() => runs.remove());

    const start = (role: string, run: SmallRun, iterations: number, ...args: string[]): Process => {
      const settings = [`phases.1.iterations=${iterations}`, 'checkpoints.every=20'];
      const all = [role, ...run.configArgs, ...settings.flatMap((setting) => ['--set', setting]), ...args];
      return startFourfold(all, [], role === 'worker' ? unhurried : {});
    };
    const startWorkers = (run: SmallRun, iterations: number, count: number) =>
      Array.from({ length: count }, () => start('worker', run, iterations));
    const createRun = (name: string) =>
      runs.create(name, `validation: { images: ${join(runs.folder, 'images')}, every: 4 }\nlogEvery: 2\n`);

    async function addressOf(coordinator: Process): Promise<string> {
      return String((await coordinator.waitFor(({ event }) => event === 'http', 'the status page'))['address']);
    }

    const text = (selector: string) => browser.page.locator(selector).first().innerText();
    const iteration = async () =>
      Number(/iteration ([\d,]+) of/.exec(await text('#position'))?.[1].replaceAll(',', '') ?? -1);
    const expectProgress = async () => {
      const before = await iteration();
      await expect.poll(iteration, waiting).toBeGreaterThan(before);
    };
    const workerIds = () =>
      browser.page.locator('#workers tbody tr').evaluateAll((rows) => rows.map((row) => row.dataset['worker']));
    const clip = () =>
      browser.page
        .locator('.stage img')
        .nth(1)
        .evaluate((image) => getComputedStyle(image).clipPath);
    const loaded = () =>
      browser.page
        .locator('#comparison img')
        .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));

    test('a run: it progresses, its curves, workers and pictures are shown, and a restarted coordinator is found again', async () => {
      const run = await createRun('watched');
      const coordinator = start('coordinator', run, 100_000, '--http', '127.0.0.1:0');
      const address = await addressOf(coordinator);
      const workers = startWorkers(run, 100_000, 2);
      browser = await openBrowser();
      const { page, problems } = browser;
      const asked: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(`http://${address}/`);

      await expect.poll(() => text('#run-name'), waiting).toBe('watched');
      await expect.poll(() => text('#state'), waiting).toMatch(/training|checkpoint/);
      await expectProgress();
      await expect.poll(() => page.title(), waiting).toBe('0% · watched · fourfold');

      // Curves of all kinds, drawn through several points.
      const points = () =>
        page
          .locator('.chart')
          .evaluateAll((charts) =>
            charts.map((chart) => [
              chart.querySelector('figcaption')?.textContent,
              Math.max(
                ...[...chart.querySelectorAll('.line path')].map((p) => (p.getAttribute('d') ?? '').split('L').length),
              ),
            ]),
          );
      for (const title of ['PSNR', 'SSIM', 'Content loss', 'Adversarial losses']) {
        const drawn = async () => (await points()).find(([caption]) => String(caption).startsWith(title))?.[1] ?? 0;
        await expect.poll(drawn, waiting).toBeGreaterThanOrEqual(3);
      }

      // With LPIPS, its curve and bicubic's.
      const lpips = await page.evaluate(drawLpips);
      expect(lpips).toEqual({ title: 'LPIPS on the validation pictures (lower is better)', paths: 2 });

      // Pictures, with names that are text and nothing else.
      await expect.poll(loaded, waiting).toEqual([512, 512, 512, 512]);
      expect(await page.locator('.pictures button').allInnerTexts()).toEqual([
        expect.stringContaining(wickedName) as string,
        expect.stringContaining('coffee.png') as string,
      ]);
      expect(await page.locator('img[src=x]').count()).toBe(0);

      // The slider by keyboard and by pointer.
      const slider = page.locator('.stage input');
      await slider.focus();
      expect(await clip()).toBe('inset(0px 50% 0px 0px)');
      for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
      expect(await clip()).toBe('inset(0px 45% 0px 0px)');
      expect(await slider.getAttribute('aria-valuetext')).toBe('55% bicubic');
      const box = await page.locator('.stage').boundingBox();
      if (!box) throw new Error('no pictures are shown');
      await page.mouse.click(box.x + box.width / 4, box.y + box.height / 2);
      expect(await slider.inputValue()).toBe('25');

      // Another picture, compared with the original, at an older iteration.
      await page.getByRole('button', { name: 'coffee.png' }).click();
      await page.getByRole('combobox', { name: 'left' }).selectOption('original');
      const older = page.getByRole('combobox', { name: 'right' }).locator('option').nth(1);
      await expect.poll(() => older.count(), waiting).toBe(1);
      const olderIteration = await older.getAttribute('value');
      await page.getByRole('combobox', { name: 'right' }).selectOption(olderIteration);
      expect(
        await page.locator('.stage img').evaluateAll((images) => images.map((i) => i.getAttribute('src'))),
      ).toEqual([
        `validation/coffee.png/${String(olderIteration).padStart(8, '0')}.webp`,
        'validation/coffee.png/original.webp',
      ]);

      // A killed worker disappears from the list, and the run continues.
      await expect.poll(workerIds, waiting).toHaveLength(2);
      workers[0].child.kill('SIGKILL');
      await expect.poll(workerIds, waiting).toHaveLength(1);
      await expectProgress();

      // Phones and the dark.
      await page.setViewportSize({ width: 390, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
      const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await background();
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await background()).not.toBe(light);
      expect(problems).toEqual([]);

      // If a proxy blocks events, the page polls.
      await page.route('**/events', (route) => route.abort());
      await page.reload();
      await expectProgress();
      await page.unroute('**/events');

      // The coordinator dies; its successor has the same port.
      await coordinator.waitFor(({ event }) => event === 'checkpoint', 'a checkpoint');
      coordinator.child.kill('SIGKILL');
      await expect.poll(() => text('#connection'), waiting).toBe('connection lost, trying again');
      const successor = start('coordinator', run, 100_000, '--resume', '--http', address);
      await expect.poll(() => text('#connection'), waiting).toBe('');
      const term = page.locator('#figures div', { hasText: 'term' }).locator('dd');
      await expect.poll(() => term.innerText(), waiting).toBe('2');
      await expect.poll(workerIds, waiting).toHaveLength(1);
      await expectProgress();
      // Nothing failed except requests that were cut off above or had no server.
      expect(
        problems.filter((problem) => !/ERR_(FAILED|CONNECTION_|INCOMPLETE_|EMPTY_RESPONSE)/.test(problem)),
      ).toEqual([]);

      successor.child.kill('SIGTERM');
      await expect.poll(() => text('#state'), waiting).toBe('stopped');
      expect(await successor.exit, successor.errors.join('\n')).toEqual({ code: 143, signal: null });
      expect(asked.filter((url) => !url.startsWith(`http://${address}/`))).toEqual([]);
    });

    test('from waiting for workers to the end: the page says that the run is finished', async () => {
      const run = await createRun('short');
      const coordinator = start('coordinator', run, 5, '--http', '127.0.0.1:0');
      browser = await openBrowser();
      await browser.page.goto(`http://${await addressOf(coordinator)}/`);
      await expect.poll(() => text('#state'), waiting).toBe('waiting for workers');
      expect(await text('#workers')).toMatch(/^No worker is connected/);
      expect(await browser.page.locator('#validation').isVisible()).toBe(false);
      startWorkers(run, 5, 1);
      await expectFinished(coordinator);
      await expect.poll(() => text('#connection'), waiting).toBe('the coordinator has left');
      expect(await text('#state')).toBe('finished');
      expect(await text('#position')).toBe('iteration 8 of 8');
      expect(await browser.page.title()).toBe('100% · short · fourfold');
    });
  },
);

/**
 * Draw the run's curves with made-up LPIPS, by the page's own module: what the chart of LPIPS has. Text, since Vitest rewrites imports in
 * functions.
 */
const drawLpips = `(async () => {
  const { createCurves } = await import('/curves.js');
  const status = await (await fetch('status.json')).json();
  for (const evaluation of status.history.evaluations) Object.assign(evaluation, { lpips: 0.2, bicubicLpips: 0.3 });
  const target = document.body.appendChild(document.createElement('div'));
  createCurves(target).show(status);
  const chart = [...target.querySelectorAll('.chart')].find((one) => one.textContent.startsWith('LPIPS'));
  const found = { title: chart.querySelector('figcaption').textContent, paths: chart.querySelectorAll('path').length };
  target.remove();
  return found;
})()`;
