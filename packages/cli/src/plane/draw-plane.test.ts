import { expect, test } from 'vitest';
import { drawPlane } from './draw-plane.js';
import { linearTicks, placeLabels } from './layout.js';
import { measuredPoints, publishedPoints, type PlanePoint } from './points.js';

const four = ['photos/astronaut.png', 'chelsea.png', 'coffee.png', 'rocket.jpg'];

test('other software has its points beside its own four pictures only, by the network of its figures', () => {
  expect(publishedPoints(four, 'alex').map(({ name }) => name)).toContain('RealSR DF2K');
  expect(publishedPoints(four, 'vgg')).toEqual([]);
  expect(publishedPoints([...four, 'raccoon.jpg'], 'alex')).toEqual([]);
});

test('the SVG has a mark and a label for each point, names as text, and the path through the blends', () => {
  const subjects = [
    { name: 'bicubic', mean: { psnr: 28.9, ssim: 0.8, lpips: 0.353 } },
    { name: 'mine <b>', mean: { psnr: 30.2, ssim: 0.85, lpips: 0.239 } },
    { name: '0.5 of b, the rest of a', mean: { psnr: 29.5, ssim: 0.84, lpips: 0.17 } },
  ].map((one) => ({ ...one, facts: {}, pictures: [], identical: 0 }));
  const measured = measuredPoints({ subjects }, new Map([['0.5 of b, the rest of a', 0.5]]));
  expect(measured.map(({ kind }) => kind)).toEqual(['measured', 'measured', 'blend']);
  const svg = drawPlane([...measured, ...publishedPoints(four, 'alex')], measured.slice(1), 'LPIPS (alex)');
  expect(svg.match(/<circle /g)).toHaveLength(6);
  expect(svg).toContain('>mine &lt;b&gt;</text>');
  expect(svg).toContain('>0.5</text>');
  expect(/<polyline points="([^"]*)"/.exec(svg)?.[1].split(' ')).toHaveLength(2);
  const placeOf = (name: string) => {
    const [, x, y] = new RegExp(`cx="([\\d.]+)" cy="([\\d.]+)"[^>]*><title>${name}:`).exec(svg) ?? [];
    return { x: Number(x), y: Number(y) };
  };
  // Better is right and low.
  expect(placeOf('bicubic').x).toBeLessThan(placeOf('mine &lt;b&gt;').x);
  expect(placeOf('bicubic').y).toBeLessThan(placeOf('RealSR DF2K').y);
});

test('one point alone is drawn', () => {
  const point: PlanePoint = { name: 'bicubic', psnr: 28.9, lpips: 0.353, kind: 'measured' };
  expect(drawPlane([point], [], 'LPIPS')).not.toMatch(/NaN|Infinity|polyline/);
});

test('labels do not cover each other or points, and stay within the area', () => {
  const area = { left: 0, top: 0, width: 400, height: 100 };
  const points = [
    { x: 390, y: 50, text: 'at the edge' },
    { x: 100, y: 50, text: 'one' },
    { x: 130, y: 50, text: 'its neighbour' },
  ];
  const [edge, one, neighbour] = placeLabels(points, area, 10);
  expect(edge.left + 66).toBeLessThanOrEqual(390);
  expect(one.left + 18).toBeLessThanOrEqual(100);
  expect(neighbour.left).toBe(140);
});

test('ticks are round numbers', () => {
  expect(linearTicks(27.4, 30.6).map((tick) => tick.toFixed(1))).toEqual([
    '27.5',
    '28.0',
    '28.5',
    '29.0',
    '29.5',
    '30.0',
    '30.5',
  ]);
});
