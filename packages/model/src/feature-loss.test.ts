import { describe } from 'vitest';
import { testFeatureLosses } from './test-feature-losses.js';
import { testedBackends } from './test-support.js';

describe.each(testedBackends)('against PyTorch in float64, on %s', testFeatureLosses);
