"""LPIPS of two small pictures by networks with made-up weights, from plain PyTorch, for packages/model/src/inference/lpips.test.ts.

    pip install torch numpy scikit-image && python make_lpips.py

lpips.safetensors: pictures a and b [height, width, 3], levels 0..255; the table that weights are made of; and the distance by each network.
"""

import numpy as np
import torch
import torch.nn.functional as F

import make_reference as reference

TABLE = np.random.default_rng(5).uniform(-1, 1, 997).astype(np.float32)
# Name, side, inputs, outputs, stride, padding, side of the maximum pooling before.
ALEXNET = [(11, 3, 64, 4, 2, 0), (5, 64, 192, 1, 2, 3), (3, 192, 384, 1, 1, 3), (3, 384, 256, 1, 1, 0), (3, 256, 256, 1, 1, 0)]
VGG16, inputs = [], 3
for group, (count, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
    for i in range(count):
        VGG16.append((3, inputs, width, 1, 1, 2 if group and not i else 0))
        inputs = width
NETWORKS = {"alexnet": (ALEXNET, [0, 1, 2, 3, 4]), "vgg16": (VGG16, [1, 3, 6, 9, 12])}


def made_up(size, tensor):
    at = np.arange(size)
    return TABLE[(at * 7 + at // 251 * 3 + tensor * 31) % len(TABLE)]


def distance(network, a, b):
    layers, taps = NETWORKS[network]
    mean, deviation = (torch.tensor(v).double().reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    tensor, features = 0, [((x + 1) / 2 - mean) / deviation for x in (a, b)]
    total, weights = 0, []
    for side, inputs, outputs, *_ in layers:
        kernel = made_up(side * side * inputs * outputs, tensor) * np.float32(np.sqrt(6 / (side * side * inputs)))
        bias = made_up(outputs, tensor + 1).astype(np.float64) * 0.1
        tensor += 2
        kernel = torch.from_numpy(kernel.reshape(side, side, inputs, outputs).astype(np.float64)).permute(3, 2, 0, 1)
        weights.append((kernel, torch.from_numpy(bias)))
    for index, (_, _, outputs, stride, padding, pooling) in enumerate(layers):
        if pooling:
            features = [F.max_pool2d(x, pooling, 2) for x in features]
        features = [F.relu(F.conv2d(x, *weights[index], stride=stride, padding=padding)) for x in features]
        if index in taps:
            head = torch.from_numpy(np.abs(made_up(outputs, tensor + taps.index(index))).astype(np.float64) * 0.1)
            first, second = (x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for x in features)
            total = total + ((first - second) ** 2 * head.reshape(1, -1, 1, 1)).sum(1).mean()
    return total.reshape(1)


if __name__ == "__main__":
    rng = np.random.default_rng(7)
    height, width = 100, 172
    smooth = F.interpolate(torch.from_numpy(rng.uniform(0, 255, (1, 3, 9, 13))), (height, width), mode="bicubic")[0]
    a = np.clip(smooth.permute(1, 2, 0).numpy() + rng.normal(0, 12, (height, width, 3)), 0, 255).round()
    b = np.clip(smooth.permute(1, 2, 0).numpy(), 0, 255).round()
    pictures = [reference.nchw(torch.from_numpy(x / 127.5 - 1)[None]) for x in (a, b)]
    out = {"a": a, "b": b, "table": TABLE}
    for network in NETWORKS:
        out[network] = distance(network, *pictures)
        print(network, out[network].item())
    reference.write("lpips", out, {})
