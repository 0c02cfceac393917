"""Content losses of VGG16's features from PyTorch in float64, for packages/model/src/feature-loss.test.ts.

    pip install torch numpy scikit-image && python make_features.py

features.safetensors: VGG16's topology with narrow groups; pictures hr and sr, and of each case of CASES the loss and its gradient by SR.
A case is what a config says: layers with scale and weight, before or after the ReLU, the distance, the reduction. `lpips` has heads of its own.
`spread`, `grid` and `bands` are measured beside such a loss, `pixels` too.
"""

import numpy as np
import torch
import torch.nn.functional as F

import make_reference as reference

GROUPS = [(2, 4), (2, 6), (3, 8), (3, 8), (3, 8)]
PAPER = 1 / 12.75


def layer(name, relu, scale=PAPER, weight=1.0):
    return {"layer": name, "relu": relu, "scale": scale, "weight": weight}


CASES = {
    "conv5_3 after": {"layers": [layer("conv5_3", "after")], "distance": "squared", "reduction": "sum"},
    "conv5_3 before": {"layers": [layer("conv5_3", "before")], "distance": "squared", "reduction": "mean"},
    "conv3_3 after": {"layers": [layer("conv3_3", "after", 0.5)], "distance": "absolute", "reduction": "sum"},
    "conv3_3 before": {"layers": [layer("conv3_3", "before", 1.0)], "distance": "absolute", "reduction": "mean"},
    "three before": {
        "layers": [layer("conv2_2", "before", 1.0, 0.1), layer("conv3_3", "before", 1.0, 0.5), layer("conv4_3", "before", 1.0)],
        "distance": "absolute",
        "reduction": "mean",
    },
    "both sides": {
        "layers": [layer("conv3_3", "before", 1.0), layer("conv3_3", "after", 0.5, 2.0), layer("conv5_3", "after")],
        "distance": "squared",
        "reduction": "mean",
    },
    "three after": {"layers": [layer(f"conv{group + 1}_{GROUPS[group][0]}", "after") for group in range(3)], "distance": "squared", "reduction": "mean"},
    "lpips, after": {
        "layers": [layer(f"conv{group + 1}_{count}", "after", 1.0) for group, (count, _) in enumerate(GROUPS)],
        "distance": "lpips",
        "reduction": "sum",
    },
}


SPREAD = "three after"


def features(w, x):
    """All features by (layer, side of the ReLU)."""
    mean, deviation = (torch.tensor(v).double().reshape(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x, found = ((x + 1) / 2 - mean) / deviation, {}
    for group, (count, width) in enumerate(GROUPS):
        if group:
            top = F.unfold(x, 2, stride=2).reshape(*x.shape[:2], 4, -1).sort(2).values
            reference.away((top[:, :, 3] - top[:, :, 2])[top[:, :, 3] > 0], "pooling")
            x = F.max_pool2d(x, 2)
        for i in range(count):
            name = f"conv{group + 1}_{i + 1}"
            x = found[name, "before"] = reference.away(w.conv(name, x, 3, width, True, gain=2.4), name)
            x = found[name, "after"] = F.relu(x)
    return found


def unit(x):
    # 1e-20 keeps the square root's gradient finite where nothing is active; the ReLU before it then passes nothing on.
    return x / ((x.pow(2).sum(1, keepdim=True) + 1e-20).sqrt() + 1e-10)


def lpips(w, case, a, b):
    total = 0
    for i, (entry, (_, width)) in enumerate(zip(case["layers"], GROUPS)):
        key = entry["layer"], entry["relu"]
        head = w.leaf(f"lpips{i + 1}/filter", (1, 1, width, 1), 0.0, 1.0)
        difference = unit(b[key]) - unit(a[key])
        total = total + (difference**2 * head.reshape(1, width, 1, 1)).sum(1).mean()
    return total


def distance(w, case, a, b):
    if case["distance"] == "lpips":
        return lpips(w, case, a, b)
    total = 0
    for entry in case["layers"]:
        key = entry["layer"], entry["relu"]
        difference = (b[key] - a[key]) * entry["scale"]
        if case["distance"] == "absolute":
            reference.away(difference[(a[key] != 0) | (b[key] != 0)], "distance")
        each = difference**2 if case["distance"] == "squared" else difference.abs()
        total = total + entry["weight"] * (each.mean() if case["reduction"] == "mean" else each.sum(1).mean())
    return total


def spread(case, a, b):
    """Relative absolute difference of standard deviations in windows of 16 pixels, half a window apart."""
    total = 0
    for entry in case["layers"]:
        key, side = (entry["layer"], entry["relu"]), 16 >> (int(entry["layer"][4]) - 1)
        windows = lambda x: F.avg_pool2d(x, side, side // 2)
        deviation = lambda x: ((windows(x**2) - windows(x) ** 2).clamp(min=0) + 1e-4).sqrt()
        of_a, of_b = deviation(a[key]), deviation(b[key])
        difference = of_b - of_a
        total = total + reference.away(difference, "spread").abs().sum() / of_a.sum()
    return total


def grid(a, b):
    """Absolute difference of the means of each place within an LR pixel, in windows of 6 LR pixels, beside the mean of all places."""
    places = F.pixel_unshuffle(b - a, 4)
    means = F.avg_pool2d(places, 6, 3).unflatten(1, (3, 16))
    return reference.away(means - means.mean(2, keepdim=True), "grid").abs().mean()


def bands(a, b):
    """The spread, in windows of 16 pixels, of the bands of an 8 x 8 cosine transform of luminance, each times its frequency."""
    n = torch.arange(8, dtype=torch.float64)
    wave = torch.cos(np.pi / 8 * (n + 0.5)[None, :] * n[:, None]) * 0.5
    wave[0] /= 2**0.5
    filters = torch.einsum("vi,uj->vuij", wave, wave) * torch.hypot(n[:, None], n[None, :])[:, :, None, None]
    luminance = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).reshape(1, 3, 1, 1)
    transformed = lambda x: F.conv2d((x * luminance).sum(1, keepdim=True), filters.reshape(64, 1, 8, 8)[1:])
    windows = lambda x: F.avg_pool2d(x, 16, 8)
    deviation = lambda x: ((windows(x**2) - windows(x) ** 2).clamp(min=0) + 1e-4).sqrt()
    of_a, of_b = deviation(transformed(a)), deviation(transformed(b))
    return reference.away(of_b - of_a, "bands").abs().sum() / of_a.sum()


def make(seed):
    rng = np.random.default_rng(seed)
    w = reference.Weights(seed + 1)
    hr, sr = (reference.pictures(rng, (2, 32, 32, 3), -1, 1) for _ in range(2))
    sr.requires_grad_()
    of_hr, of_sr = features(w, reference.nchw(hr)), features(w, reference.nchw(sr))
    out = {"hr": hr, "sr": sr}
    for name, case in CASES.items():
        loss = distance(w, case, {key: value.detach() for key, value in of_hr.items()}, of_sr)
        (gradient,) = torch.autograd.grad(loss, sr, retain_graph=True)
        out |= {f"{name}/loss": loss.reshape(1), f"{name}/input-gradient": gradient}
    fixed = {key: value.detach() for key, value in of_hr.items()}
    pictures = reference.nchw(hr), reference.nchw(sr)
    for name, loss in (("spread", spread(CASES[SPREAD], fixed, of_sr)), ("grid", grid(*pictures)), ("bands", bands(*pictures))):
        (gradient,) = torch.autograd.grad(loss, sr, retain_graph=True)
        out |= {f"{name}/loss": loss.reshape(1), f"{name}/input-gradient": gradient}
    out |= {f"parameters/{name}": value for name, value in w.items()}
    out["pixels/loss"] = (sr - hr).abs().mean().reshape(1)
    out["pixels/input-gradient"] = torch.sign(reference.away(sr - hr, "pixels")).detach() / sr.numel()
    return out, {"groups": [{"convolutions": count, "width": width} for count, width in GROUPS], "cases": CASES}


if __name__ == "__main__":
    for seed in range(0, 100_000, 10):
        try:
            tensors, settings = make(seed)
        except reference.TooClose:
            continue
        reference.write("features", tensors, settings)
        print(f"features.safetensors: seed {seed}")
        break
