/*
 * Which source may import which: no circles, no package above its own, no package past the entries of its package.json.
 */

/** From the lowest to the highest: a package imports only packages on its left. */
const order = [
  ...['common', 'weights', 'store', 'rpc', 'imaging', 'tfjs-torch', 'model', 'upscale'],
  ...['data-loader', 'coordinator', 'worker', 'cli', 'local-servers'],
];
const tests = '[.]test[.]ts$|/test-[^/]+[.]ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circles',
      comment:
        'Give what both need a file of its own: often an interface, or a table that stands above what it chooses from.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { circular: true },
    },
    ...order.map((name, i) => ({
      name: `no-import-above-${name}`,
      comment: `packages/${name} imports only ${i === 0 ? 'libraries' : order.slice(0, i).join(', ')}.`,
      severity: 'error',
      from: { path: `^packages/${name}/` },
      to: { path: `^packages/(${order.slice(i + 1).join('|') || '-'})/` },
    })),
    {
      name: 'no-import-past-an-index',
      comment: 'Import another package by its name: what its package.json exports is what it promises.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: tests },
      to: {
        path: '^packages/',
        pathNot: '^packages/$1/',
        dependencyTypesNot: ['aliased-workspace'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|/dist/' },
    exclude: { path: '/generated/|/assembly/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
    combinedDependencies: true,
  },
};
