"""Options of GAN training, each in one iteration of small networks, from PyTorch in float64.

    pip install torch numpy scikit-image && python make_options.py

options.safetensors, float32, layouts and names as in make_reference.py:
    generator/NAME                              weights; running statistics that differ from 0 and 1
    dense/NAME, patch/NAME, features/NAME       weights of discriminators with each head
    vgg/NAME                                    VGG16's first two convolutions, which `features` sees and its content loss compares
    lr, hr                                      pictures
    CASE/loss/NAME                              one element each
    CASE/discriminator-gradient/NAME
    CASE/generator-gradient/NAME                of content (mse, or features) + weight * adversarial loss; without statistics
    CASE/sr
The cases: `relativistic`, `patch` and `features` (relativistic) with the batch's statistics, `frozen` with the running ones.
"""

import numpy as np
import torch
import torch.nn.functional as F

import make_reference as reference
from make_reference import nchw, nhwc

CROP, WEIGHT = 32, 0.05
HEADS = {"relativistic": "dense", "patch": "patch", "frozen": "dense", "features": "features"}
LAYERS, SCALE = ["conv1_1", "conv1_2"], 1 / 12.75


def features(v, x):
    """VGG16's first two convolutions before their ReLUs."""
    mean, deviation = (torch.tensor(n).double().reshape(1, 3, 1, 1) for n in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    first = reference.away(v.conv("conv1_1", ((x + 1) / 2 - mean) / deviation, 3, 64, True), "conv1_1")
    return [first, v.conv("conv1_2", F.relu(first), 3, 64, True)]


def discriminator(w, x, head, v):
    """The logits of each head."""
    if head == "dense":
        return [reference.discriminator(w, x)]
    if head == "patch":
        return [patch(w, x)]
    return [feature_head(w, layer, y) for layer, y in zip(LAYERS, features(v, x))]


def feature_head(w, layer, x):
    c = reference.DISCRIMINATOR["channels"]
    x = F.leaky_relu(reference.away(w.conv(f"{layer}/conv1", x * SCALE, 1, c, True, gain=6), layer), 0.2)
    x = F.leaky_relu(reference.away(w.conv(f"{layer}/conv2", x, 3, c, True, gain=6), layer), 0.2)
    return w.conv(f"{layer}/logits", x, 3, 1, True, gain=6)


def patch(w, x):
    c = reference.DISCRIMINATOR["channels"]
    for i in range(8):
        stride = 1 + i % 2
        x = w.conv(f"conv{i + 1}", x, 4 if stride == 2 else 3, c * 2 ** (i // 2), i == 0, stride)
        x = F.leaky_relu(reference.away(x if i == 0 else w.norm(f"bn{i + 1}", x), f"conv{i + 1}"), 0.2)
    return w.conv("logits", x, 3, 1, True)


def adversarial(kind, real, fake, of):
    """ESRGAN's losses (Wang et al. 2018, eq. 1 and 2), or the paper's; those of the generator as BasicSR halves them."""
    true, false = (lambda x: F.softplus(-x).mean()), (lambda x: F.softplus(x).mean())
    if kind != "relativistic":
        return (true(real), false(fake)) if of == "discriminator" else true(fake)
    by_real, by_fake = real - fake.mean(), fake - real.mean()
    return (true(by_real), false(by_fake)) if of == "discriminator" else (false(by_real) + true(by_fake)) / 2


def content(name, v, sr, hr):
    if name != "features":
        return F.mse_loss(sr, hr)
    return sum(F.mse_loss(a * SCALE, b * SCALE) for a, b in zip(features(v, sr), features(v, hr)))


def case(name, g, d, v, statistics, lr, hr):
    kind, head = ("relativistic" if name in ("relativistic", "features") else "standard"), HEADS[name]
    copies = {key: tuple(value.clone() for value in values) for key, values in statistics.items()}
    sr = reference.generator(g, nchw(lr), copies, training=name != "frozen")
    real, fake = discriminator(d, nchw(hr), head, v), discriminator(d, sr.detach(), head, v)
    of_d = [sum(parts) for parts in zip(*(adversarial(kind, a, b, "discriminator") for a, b in zip(real, fake)))]
    losses = dict(zip(("discriminatorReal", "discriminatorFake"), of_d))
    out = reference.gradients("discriminator-gradient", d, sum(of_d))
    losses["content"] = content(name, v, sr, nchw(hr))
    real, fake = discriminator(d, nchw(hr), head, v), discriminator(d, sr, head, v)
    losses["adversarial"] = sum(adversarial(kind, a, b, "generator") for a, b in zip(real, fake))
    losses["total"] = losses["content"] + WEIGHT * losses["adversarial"]
    out |= reference.gradients("generator-gradient", g, losses["total"])
    out |= {f"loss/{key}": value.reshape(1) for key, value in losses.items()} | {"sr": nhwc(sr)}
    return {f"{name}/{key}": value for key, value in out.items()}


def iteration(seed):
    rng = np.random.default_rng(seed)
    g, heads = reference.Weights(seed + 1), {"dense": reference.Weights(seed + 2), "patch": reference.Weights(seed + 3)}
    heads["features"], v = reference.Weights(seed + 4), reference.Weights(seed + 5)
    lr, hr = reference.pictures(rng, (2, CROP // 4, CROP // 4, 3), 0, 1), reference.pictures(rng, (2, CROP, CROP, 3), -1, 1)
    norms = [f"block{i + 1}/bn{j}" for i in range(reference.GENERATOR["blocks"]) for j in (1, 2)] + ["trunk/bn"]
    width = reference.GENERATOR["channels"]
    statistics = {n: (reference.pictures(rng, width, -0.3, 0.3), reference.pictures(rng, width, 0.3, 1.5)) for n in norms}
    out = {"lr": lr, "hr": hr}
    for name, head in HEADS.items():
        out |= case(name, g, heads[head], v, statistics, lr, hr)
    out |= {f"generator/{n}": v for n, v in g.items()}
    for norm, (mean, variance) in statistics.items():
        out |= {f"generator/{norm}/mean": mean, f"generator/{norm}/variance": variance}
    for head, w in heads.items():
        out |= {f"{head}/{n}": v for n, v in w.items()}
    return out | {f"vgg/{n}": value for n, value in v.items()}


def main():
    reference.GENERATOR, reference.DISCRIMINATOR = {"channels": 4, "blocks": 1}, {"channels": 2, "dense": 8}
    for seed in range(0, 1000, 10):
        try:
            tensors = iteration(seed)
            break
        except reference.TooClose as reason:
            print(f"seed {seed} is too close to a kink ({reason})")
    settings = {"generator": reference.GENERATOR, "discriminator": reference.DISCRIMINATOR, "crop": CROP}
    reference.write("options", tensors, settings | {"adversarialWeight": WEIGHT, "heads": HEADS, "layers": LAYERS})


if __name__ == "__main__":
    main()
