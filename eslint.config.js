import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// Node.js parses a CommonJS file three times when an ES module imports it: 0.2 s of CPU for TensorFlow.js, in each process and thread.
const tensorflowByRequire = {
  selector:
    "ImportDeclaration[importKind='value'][source.value=/^@tensorflow[/]tfjs-(core|backend-wasm|backend-cpu)$/]",
  message: "Use `import tf = require('@tensorflow/tfjs-core')`: an import costs each process 0.2 s of CPU.",
};

export default tseslint.config(
  { ignores: ['**/dist/', '**/generated/', 'out/', 'packages/*/assembly/', 'bench/peers/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    // Rules that need types are in .oxlintrc.json: oxlint checks them in a tenth of the time.
    extends: [tseslint.configs.recommended],
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-duplicate-imports': 'error',
      '@typescript-eslint/no-require-imports': ['error', { allowAsImport: true }],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    ignores: ['packages/coordinator/src/status-page/', 'packages/cli/src/mos/page/'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        URL: 'readonly',
        AbortController: 'readonly',
        performance: 'readonly',
      },
    },
  },
  {
    files: ['packages/cli/bin/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { require: 'readonly', __dirname: 'readonly' } },
  },
  {
    files: ['scripts/*', 'bench/**', 'packages/*/setup/*', 'packages/*/conformance/*', 'examples/**/*.mjs'],
    ignores: ['packages/tfjs-torch/setup/child-processes.mjs'],
    rules: {
      'no-restricted-imports': [
        'error',
        { name: 'node:child_process', message: 'Use scripts/child-processes.mjs: its children end with the script.' },
      ],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['packages/common/src/zod.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { name: 'zod', message: 'Use @fourfold/common/zod: zod itself loads the messages of 60 languages.' },
      ],
    },
  },
  {
    // The arithmetic of these packages decides a run's bits, or the figures that choose its best checkpoint.
    files: ['packages/{common,weights,store,rpc,imaging,model,data-loader,coordinator,worker}/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/test-*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        ...[
          ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'atan2', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh'],
          ...['exp', 'expm1', 'log', 'log1p', 'log2', 'log10', 'pow', 'cbrt', 'hypot'],
        ].map((property) => ({
          object: 'Math',
          property,
          message: 'JavaScript engines differ in its last bit: see common/src/numbers/exact-math.ts.',
        })),
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "BinaryExpression[operator='**'][left.value!=2]",
          message: 'JavaScript engines differ in the last bit of **: multiply instead.',
        },
        tensorflowByRequire,
      ],
    },
  },
  { files: ['packages/tfjs-torch/src/**/*.ts'], rules: { 'no-restricted-syntax': ['error', tensorflowByRequire] } },
  {
    files: ['**/*.test.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          "CallExpression[callee.property.name='skipIf'] > .arguments:not([callee.name='lacks'])",
          "CallExpression[callee.name='skip'] > .arguments:first-child:not([callee.name='lacks'])",
          "CallExpression[callee.name='skip'][arguments.length=0]",
          'MemberExpression[property.name=/^(runIf|skip|only|todo)$/]',
        ].map((selector) => ({
          selector,
          message: 'Only a test that lacks something is skipped: see test/support/needs.mjs.',
        })),
      ],
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/test-*.ts'],
    rules: {
      // An exception says its reason in the comment that makes it.
      'max-lines-per-function': ['error', 60],
      'max-params': ['error', 6],
    },
  },
  {
    // TypeScript checks these files and knows the browser's globals.
    files: ['packages/coordinator/src/status-page/*.js', 'packages/cli/src/mos/page/*.js'],
    rules: { 'no-undef': 'off' },
  },
);
