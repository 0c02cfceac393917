"""Reference tensors for fourfold's numeric tests, from PyTorch in float64 and scikit-image.

    pip install torch numpy scikit-image && python make_reference.py

Writes safetensors files of float32 beside itself. Layouts are fourfold's: pictures [batch, height, width, channels], filters
[height, width, inputs, outputs], dense weights [inputs, outputs]; names are those of packages/weights/src/layout.ts.

iteration.safetensors: one `gan` iteration of small networks.
    generator/NAME, discriminator/NAME          weights and running statistics before it
    lr, hr, sr, logits/real, logits/fake        pictures and outputs; logits/adversarial are those of the generator's half
    loss/NAME                                   one element each
    generator-gradient/NAME                     of content (mse) + weights * (total variation, adversarial); for batch norms'
                                                mean and variance the batch's, the variance unbiased
    generator-running/NAME                      running statistics after the update
    discriminator-gradient/NAME
    input-gradient/lr, input-gradient/sr        of the same total by LR; of the adversarial loss by SR
    inference/sr                                the generator in evaluation mode, with the running statistics after it
vgg.safetensors: VGG19's topology with narrow groups; features, content losses and their gradients by SR, both depths.
adam.safetensors: parameters, gradient/1, gradient/2, and after step N parameters/N, first-moment/N, second-moment/N; the
    metadata holds learningRate, beta1, beta2 and epsilon.
metrics.safetensors: pictures a and b (whole numbers 0..255), psnr and ssim on Y without a 4-pixel border.

variants.safetensors is made by make_variants.py.
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

HERE = Path(__file__).parent
GENERATOR = {"channels": 8, "blocks": 2}
DISCRIMINATOR = {"channels": 4, "dense": 16}
BATCH, CROP = 4, 32
WEIGHTS = {"adversarial": 0.05, "totalVariation": 1e-4}
VGG_GROUPS = [(2, 4), (2, 6), (4, 8), (4, 8), (4, 8)]
# Values that decide a branch (signs, maxima) keep this distance from it, so that float32 takes the same branch.
MARGIN = 3e-6


class TooClose(Exception):
    """A value lies too close to a kink for float32; another seed is tried."""


def write(name, tensors, metadata):
    header, data = {"__metadata__": {key: json.dumps(value) for key, value in metadata.items()}}, b""
    for key, value in tensors.items():
        array = np.ascontiguousarray(np.asarray(value.detach() if torch.is_tensor(value) else value), dtype="<f4")
        header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (HERE / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def away(x, what):
    if x.detach().abs().min() < MARGIN:
        raise TooClose(what)
    return x


class Weights(dict):
    """Float64 leaves with float32 values, made on first use."""

    def __init__(self, seed):
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def leaf(self, name, shape, low, high):
        if name not in self:
            values = torch.from_numpy(self.rng.uniform(low, high, shape).astype(np.float32)).double()
            self[name] = values.requires_grad_()
        return self[name]

    def conv(self, name, x, side, outputs, bias, stride=1, gain=1.0):
        inputs = x.shape[1]
        bound = gain / np.sqrt(side * side * inputs)
        kernel = self.leaf(f"{name}/filter", (side, side, inputs, outputs), -bound, bound).permute(3, 2, 0, 1).contiguous()
        offset = self.leaf(f"{name}/bias", (outputs,), -0.1, 0.1) if bias else None
        total = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in x.shape[2:]]
        pads = [total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2]
        return F.conv2d(F.pad(x, pads), kernel, offset, stride)

    def norm(self, name, x, statistics=None, training=True):
        gamma = self.leaf(f"{name}/gamma", (x.shape[1],), 0.5, 1.5)
        beta = self.leaf(f"{name}/beta", (x.shape[1],), -0.3, 0.3)
        if statistics is None:
            return F.batch_norm(x, None, None, gamma, beta, True, 0.1, 1e-5)
        mean, variance = statistics.setdefault(name, (torch.zeros(x.shape[1]).double(), torch.ones(x.shape[1]).double()))
        if training:
            statistics[f"{name} of the batch"] = (x.mean((0, 2, 3)).detach(), x.var((0, 2, 3), unbiased=True).detach())
        return F.batch_norm(x, mean, variance, gamma, beta, training, 0.1, 1e-5)

    def prelu(self, name, x):
        return F.prelu(away(x, name), self.leaf(f"{name}/slope", (x.shape[1],), 0.1, 0.4))

    def dense(self, name, x, outputs):
        bound = 1 / np.sqrt(x.shape[1])
        weight = self.leaf(f"{name}/weight", (x.shape[1], outputs), -bound, bound)
        return x @ weight + self.leaf(f"{name}/bias", (outputs,), -0.1, 0.1)


def depth_to_space(x):
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, 2, 2, channels // 4, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // 4, 2 * height, 2 * width)


def generator(w, lr, statistics, training=True):
    c = GENERATOR["channels"]
    x = first = w.prelu("head/prelu", w.conv("head/conv", lr, 9, c, True))
    for i in range(1, GENERATOR["blocks"] + 1):
        y = w.norm(f"block{i}/bn1", w.conv(f"block{i}/conv1", x, 3, c, False), statistics, training)
        y = w.conv(f"block{i}/conv2", w.prelu(f"block{i}/prelu", y), 3, c, False)
        x = x + w.norm(f"block{i}/bn2", y, statistics, training)
    x = first + w.norm("trunk/bn", w.conv("trunk/conv", x, 3, c, False), statistics, training)
    for up in ("up1", "up2"):
        x = w.prelu(f"{up}/prelu", depth_to_space(w.conv(f"{up}/conv", x, 3, 4 * c, True)))
    return w.conv("tail/conv", x, 9, 3, True)


def discriminator(w, x):
    c = DISCRIMINATOR["channels"]
    for i in range(8):
        x = w.conv(f"conv{i + 1}", x, 3, c * 2 ** (i // 2), i == 0, 1 + i % 2)
        x = F.leaky_relu(away(x if i == 0 else w.norm(f"bn{i + 1}", x), f"conv{i + 1}"), 0.2)
    x = w.dense("dense1", nhwc(x).flatten(1), DISCRIMINATOR["dense"])
    return w.dense("dense2", F.leaky_relu(away(x, "dense1"), 0.2), 1)


def vgg(w, x, groups):
    mean, deviation = (torch.tensor(v).double().reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = ((x + 1) / 2 - mean) / deviation
    for group, (count, width) in enumerate(groups):
        if group:
            top = F.unfold(x, 2, stride=2).reshape(*x.shape[:2], 4, -1).sort(2).values
            away((top[:, :, 3] - top[:, :, 2])[top[:, :, 3] > 0], "pooling")
            x = F.max_pool2d(x, 2)
        for i in range(count):
            name = f"conv{group + 1}_{i + 1}"
            x = F.relu(away(w.conv(name, x, 3, width, True, gain=2.4), name))
    return x


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def nchw(x):
    return x.permute(0, 3, 1, 2)


def total_variation(x):
    down, across = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return (away(down, "rows").abs().sum() + away(across, "columns").abs().sum()) / x.shape[0]


def pictures(rng, shape, low, high):
    return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32)).double()


def gradients(prefix, w, loss, retain=False):
    names = list(w)
    return {f"{prefix}/{n}": g for n, g in zip(names, torch.autograd.grad(loss, [w[n] for n in names], retain_graph=retain))}


def iteration(seed):
    rng = np.random.default_rng(seed)
    g, d, statistics = Weights(seed + 1), Weights(seed + 2), {}
    lr = pictures(rng, (BATCH, CROP // 4, CROP // 4, 3), 0, 1).requires_grad_()
    hr = pictures(rng, (BATCH, CROP, CROP, 3), -1, 1)
    sr = generator(g, nchw(lr), statistics)
    real, fake = discriminator(d, nchw(hr)), discriminator(d, sr.detach())
    losses = {"discriminatorReal": F.softplus(-real).mean(), "discriminatorFake": F.softplus(fake).mean()}
    out = gradients("discriminator-gradient", d, losses["discriminatorReal"] + losses["discriminatorFake"])
    logits = discriminator(d, sr)
    losses |= {"content": F.mse_loss(sr, nchw(hr)), "totalVariation": total_variation(sr)}
    losses["adversarial"] = F.softplus(-logits).mean()
    losses["total"] = losses["content"] + sum(WEIGHTS[name] * losses[name] for name in WEIGHTS)
    (by_sr,) = torch.autograd.grad(losses["adversarial"], sr, retain_graph=True)
    (by_lr,) = torch.autograd.grad(losses["total"], lr, retain_graph=True)
    out |= gradients("generator-gradient", g, losses["total"])
    for name in [name for name in statistics if not name.endswith("of the batch")]:
        for part, index in (("mean", 0), ("variance", 1)):
            out[f"generator/{name}/{part}"] = torch.full_like(statistics[name][index], float(index))
            out[f"generator-gradient/{name}/{part}"] = statistics[f"{name} of the batch"][index]
            out[f"generator-running/{name}/{part}"] = statistics[name][index].clone()
    out |= {f"generator/{n}": v for n, v in g.items()} | {f"discriminator/{n}": v for n, v in d.items()}
    out |= {f"loss/{n}": v.reshape(1) for n, v in losses.items()}
    out |= {"lr": lr, "hr": hr, "sr": nhwc(sr), "logits/real": real, "logits/fake": fake, "logits/adversarial": logits}
    out |= {"input-gradient/lr": by_lr, "input-gradient/sr": nhwc(by_sr)}
    out["inference/sr"] = nhwc(generator(g, nchw(lr), statistics, training=False))
    return out, {"generator": GENERATOR, "discriminator": DISCRIMINATOR, "crop": CROP, "weights": WEIGHTS}


def content(seed):
    rng, w = np.random.default_rng(seed), Weights(seed + 1)
    hr = pictures(rng, (2, CROP, CROP, 3), -1, 1)
    sr = pictures(rng, (2, CROP, CROP, 3), -1, 1).requires_grad_()
    out = {"hr": hr, "sr": sr}
    for depth, groups in (("vgg22", VGG_GROUPS[:2]), ("vgg54", VGG_GROUPS)):
        features = vgg(w, nchw(sr), groups)
        distance = (features - vgg(w, nchw(hr), groups)) ** 2 / 12.75**2
        for reduction, loss in (("sum", distance.sum(1).mean()), ("mean", distance.mean())):
            out[f"{depth}/{reduction}/loss"] = loss.reshape(1)
            (out[f"{depth}/{reduction}/input-gradient"],) = torch.autograd.grad(loss, sr, retain_graph=True)
        out[f"{depth}/features"] = nhwc(features)
    out |= {f"parameters/{n}": v for n, v in w.items()}
    return out, {"groups": [{"convolutions": count, "width": width} for count, width in VGG_GROUPS]}


def adam(seed):
    rng = np.random.default_rng(seed)
    settings = {"learningRate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    values = torch.from_numpy(rng.normal(0, 0.1, 1000).astype(np.float32)).double().requires_grad_()
    optimizer = torch.optim.Adam([values], lr=settings["learningRate"], betas=(0.9, 0.999), eps=settings["epsilon"])
    out = {"parameters": values.detach().clone()}
    for step in (1, 2):
        scale = 10.0 ** rng.uniform(-7, 0, 1000)
        values.grad = torch.from_numpy((rng.normal(0, 1, 1000) * scale).astype(np.float32)).double()
        values.grad[:10] = 0
        out[f"gradient/{step}"] = values.grad.clone()
        optimizer.step()
        state = optimizer.state[values]
        out[f"parameters/{step}"] = values.detach().clone()
        out[f"first-moment/{step}"], out[f"second-moment/{step}"] = state["exp_avg"].clone(), state["exp_avg_sq"].clone()
    return out, settings


def metrics(seed):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:61, 0:83]
    a = np.stack([127 + 90 * np.sin(rows / 7 + k) * np.cos(columns / (5 + k)) for k in range(3)], -1)
    a = np.clip(a + rng.normal(0, 12, a.shape), 0, 255).round()
    b = np.clip(a + rng.normal(0, 9, a.shape), 0, 255).round()
    first, second = ((p / 255 @ [65.481, 128.553, 24.966] + 16)[4:-4, 4:-4] for p in (a, b))
    ssim = structural_similarity(
        first, second, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    return {"a": a, "b": b, "psnr": [peak_signal_noise_ratio(first, second, data_range=255)], "ssim": [ssim]}, {}


def main():
    for name, make in (("iteration", iteration), ("vgg", content), ("adam", adam), ("metrics", metrics)):
        for seed in range(0, 1000, 10):
            try:
                tensors, settings = make(seed)
                break
            except TooClose as reason:
                print(f"{name}: seed {seed} is too close to a kink ({reason})")
        write(name, tensors, settings)


if __name__ == "__main__":
    main()
