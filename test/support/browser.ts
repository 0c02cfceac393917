import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBrowser } from '@fourfold/local-servers';
import { chromium, type Page } from 'playwright-core';

/** A page in a real browser, and what went wrong in it. */
export interface BrowserPage {
  page: Page;
  /** Errors and warnings of the console, uncaught errors. */
  problems: string[];
  /** Show every page at another zoom, as a user would set it. */
  zoom(factor: number): Promise<void>;
  close(): Promise<void>;
}

interface Settings {
  pixelRatio?: number;
  webgpu?: boolean;
}

/**
 * Start the machine's browser with a new, empty profile; it connects only to the pages that a test opens. With
 * `pixelRatio`, as on a display with that many pixels to a CSS pixel: Playwright's own emulation resamples pictures,
 * and displays do not. With `webgpu`, its pages find the browser's software driver.
 */
export async function openBrowser({ pixelRatio, webgpu }: Settings = {}): Promise<BrowserPage> {
  const profile = await mkdtemp(join(tmpdir(), 'fourfold-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser(),
    headless: true,
    ...(pixelRatio && { viewport: null }),
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(pixelRatio ? [`--force-device-scale-factor=${pixelRatio}`, '--window-size=1600,1200'] : []),
      '--disable-gpu',
      ...(webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : []),
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  return {
    page,
    problems,
    async zoom(factor) {
      const settings = await context.newPage();
      // Only the browser's settings let a script zoom: DevTools emulates a ratio without the page noticing.
      await settings.goto('chrome://settings/appearance');
      await settings.evaluate(`new Promise((done) => chrome.settingsPrivate.setDefaultZoom(${factor}, done))`);
      await settings.close();
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
