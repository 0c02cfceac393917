export { encodeOnnxGenerator, onnxPixelForms, type OnnxPixels } from './onnx.js';
export { decodeTorchGenerator, encodeTorchGenerator } from './torch-tensors.js';
export { torchClass, upscalerModel } from './assets.js';
export { encodeGraphModel, tfjsPixels } from './tfjs.js';
