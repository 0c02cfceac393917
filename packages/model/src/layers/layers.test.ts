import { describe } from 'vitest';
import { testedBackends } from '../test-support.js';
import { testLayers } from './test-layers.js';

describe.each(testedBackends)('on %s', testLayers);
