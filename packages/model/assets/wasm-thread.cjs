/* global __filename */
// A thread of TF.js's wasm backend. Emscripten's own script for it, a string in the package, expects a browser's Worker and
// loads its program from a Blob; here it runs in Node's worker_threads and loads the program from its file.
const { parentPort } = require('node:worker_threads');

const program = require.resolve('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js');
const { wasmWorkerContents } = require(program.replace(/\.js$/, '.worker.js'));

const on = parentPort.on.bind(parentPort);
parentPort.on = (event, listener) =>
  on(event, (message) => listener(message?.cmd === 'load' ? { ...message, urlOrBlob: program } : message));

// The script is in a template literal, which removed one backslash from each of its line-end escapes.
new Function('require', '__filename', wasmWorkerContents.replace(/\n/g, '\\n'))(require, __filename);
