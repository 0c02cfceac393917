// Upscales a picture in two lines: node sharpen.js MODEL INPUT OUTPUT
import { readModel, writePicture } from '@fourfold/upscale';

const [place, input, output] = process.argv.slice(2);
const model = await readModel(place);
await writePicture(output, await model.upscale(input, { onProgress: (share) => console.log(share.toFixed(2)) }));
