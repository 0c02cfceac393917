import { describe } from 'vitest';
import { testAgainstPytorch } from './test-against-pytorch.js';
import { testedBackends } from './test-support.js';

describe.each(testedBackends)('against PyTorch in float64, on %s', testAgainstPytorch);
