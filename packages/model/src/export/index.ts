export { encodeOnnxGenerator, onnxPixelForms, type OnnxPixels } from './onnx.js';
export { torchClass, upscalerModel } from './assets.js';
export { encodeGraphModel, tfjsPixels } from './tfjs.js';
