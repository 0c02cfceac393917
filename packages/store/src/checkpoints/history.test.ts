import { expect, test } from 'vitest';
import { emptyHistory, historySchema, meanLosses, toEvaluation } from './history.js';

test('each loss is averaged over those that have it', () => {
  expect(
    meanLosses([
      { content: 1, adversarial: 4 },
      { content: 3, discriminator: 8 },
    ]),
  ).toEqual({ content: 2, adversarial: 4, discriminator: 8 });
  expect(meanLosses([])).toEqual({});
});

test('the mean is taken in the order given, so that its bits are the same in every run', () => {
  const values = [0.1, 0.2, 0.3, 0.7];
  const { loss } = meanLosses(values.map((value) => ({ loss: value })));
  expect(loss).toBe((0.1 + 0.2 + 0.3 + 0.7) / 4);
});

test('an evaluation is the mean over its pictures', () => {
  const pictures = [
    { picture: 'a.png', psnr: 20, ssim: 0.5 },
    { picture: 'b.png', psnr: 30, ssim: 0.7 },
  ];
  const evaluation = toEvaluation(7, pictures);
  expect(evaluation).toEqual({ iteration: 7, psnr: 25, ssim: 0.6, pictures });
  const beside = pictures.map((scores) => ({ ...scores, bicubicPsnr: scores.psnr - 1, bicubicSsim: 0.5 }));
  expect(toEvaluation(7, beside)).toEqual({ ...evaluation, bicubic: { psnr: 24, ssim: 0.5 } });
});

test('a history survives JSON', () => {
  const history = {
    rows: [{ iteration: 1, phase: 0, learningRate: 1e-4, losses: { content: 0.25 } }],
    evaluations: [toEvaluation(1, [{ picture: 'a', psnr: 1, ssim: 0 }])],
  };
  expect(historySchema.parse(JSON.parse(JSON.stringify(history)))).toEqual(history);
  expect(historySchema.parse(emptyHistory())).toEqual({ rows: [], evaluations: [] });
});

test('in a history where identical pictures had an infinite PSNR, every figure is one that means can use', () => {
  const pictures = [
    { picture: 'black.png', psnr: Infinity, ssim: 1 },
    { picture: 'b.png', psnr: 30, ssim: 0.7 },
  ];
  const older = { iteration: 1, psnr: Infinity, ssim: 0.85, bicubic: { psnr: Infinity, ssim: 0.8 }, pictures };
  const { evaluations } = historySchema.parse(JSON.parse(JSON.stringify({ rows: [], evaluations: [older] })));
  expect(evaluations).toEqual([
    { iteration: 1, psnr: 65, ssim: 0.85, pictures: [{ ...pictures[0], psnr: 100 }, pictures[1]] },
  ]);
});

test('LPIPS is averaged where every picture has it, and left out elsewhere', () => {
  const score = (picture: string, lpips?: number) => ({
    picture,
    psnr: 20,
    ssim: 0.5,
    ...(lpips !== undefined && { lpips }),
  });
  expect(toEvaluation(1, [score('a', 0.1), score('b', 0.3)])).toMatchObject({
    lpips: 0.2,
    pictures: [{ lpips: 0.1 }, { lpips: 0.3 }],
  });
  expect(toEvaluation(1, [score('a', 0.1), score('b')])).not.toHaveProperty('lpips');
  const bicubic = { bicubicPsnr: 19, bicubicSsim: 0.4, bicubicLpips: 0.5 };
  const evaluation = toEvaluation(1, [{ ...score('a', 0.25), ...bicubic }]);
  expect(evaluation.bicubic).toEqual({ psnr: 19, ssim: 0.4, lpips: 0.5 });
  const history = { rows: [], evaluations: [evaluation] };
  expect(historySchema.parse(JSON.parse(JSON.stringify(history)))).toEqual(history);
});
