"""Files of VGG19's weights as people have them, with made-up weights, and the features that each framework computes with them.

    pip install numpy h5py keras torch torchvision brotli && KERAS_BACKEND=torch python make.py

Writes beside itself, each compressed by brotli:
    python2.npy           vgg19.npy as Python 2 wrote it: protocol 2, str for bytes, numpy.core.multiarray; spelled out by hand here
    numpy2.npy            the same dictionary by today's numpy.save
    keras1.h5             vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 with Keras 1's names, by h5py
    keras3.h5             Keras 3's own save_weights
    legacy.pth, zip.pth   torch.save, as vgg19-dcbb9e9d.pth is and as it is since PyTorch 1.6
    torchvision.safetensors
and features.safetensors: a picture [1, 24, 24, 3] in [-1, 1], and of it relu2_2 and relu5_4 by torchvision and by Keras.

The weights repeat themselves, so that 80 MB take a few KB; they differ from layer to layer and fit no other axis order.
"""

import io
import json
import os

import struct
from collections import OrderedDict
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import brotli
import h5py
import keras
import numpy as np
import torch
import torchvision

HERE = Path(__file__).parent
GROUPS = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)]
PERIOD = 251
TABLE = np.random.default_rng(19).uniform(-1, 1, PERIOD).astype(np.float32)


def weights():
    """(group, convolution, filter HWIO, bias) of each convolution."""
    inputs, place = 3, 0
    for group, (convolutions, width) in enumerate(GROUPS, 1):
        for convolution in range(1, convolutions + 1):
            y, x, i, o = np.ogrid[:3, :3, :inputs, :width]
            scale = np.float32((6 / (9 * inputs)) ** 0.5)
            table = TABLE * scale
            bias = 0.1 * TABLE[(np.arange(width) * 5 + place) % PERIOD]
            yield group, convolution, table[(y * 83 + x * 29 + i * 7 + o * 3 + place) % PERIOD], bias.astype(np.float32)
            inputs, place = width, place + 1


WEIGHTS = list(weights())
# The published files hold the dense layers, too; nobody needs them here. vgg19.npy's were transposed, which NumPy stores as it is.
DENSE = (np.ones((3, 2), np.float32).T, np.zeros(3, np.float32))


def write(name, body):
    (HERE / f"{name}.br").write_bytes(brotli.compress(body, quality=9, lgwin=24))


def python2_npy():
    def short(text):
        return b"U" + bytes([len(text)]) + text.encode("latin1")

    def string(data):
        return short(data.decode("latin1")) if len(data) < 256 else b"T" + struct.pack("<I", len(data)) + data

    def number(value):
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    def array(value):
        shape = b"(" + b"".join(map(number, value.shape)) + b"t"
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + short("b") + b"tR"
        dtype = b"cnumpy\ndtype\n(" + short("f4") + b"K\x00K\x01tR(K\x03" + short("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        order = b"\x88" if np.isfortran(value) else b"\x89"
        return made + b"(K\x01" + shape + dtype + order + string(value.tobytes("A")) + b"tb"

    layers = [(f"conv{g}_{c}", f, b) for g, c, f, b in WEIGHTS] + [("fc6", *DENSE)]
    items = b"".join(short(name) + b"](" + array(f) + array(b) + b"e" for name, f, b in layers)
    objects = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + short("b") + b"tR"
    dtype = b"cnumpy\ndtype\n(" + short("O8") + b"K\x00K\x01tR(K\x03" + short("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    body = b"\x80\x02" + objects + b"(K\x01)" + dtype + b"\x89](}(" + items + b"uetb."
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    file = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body
    loaded = np.load(io.BytesIO(file), allow_pickle=True, encoding="latin1").item()
    assert all(np.array_equal(loaded[f"conv{g}_{c}"][0], f) and np.array_equal(loaded[f"conv{g}_{c}"][1], b) for g, c, f, b in WEIGHTS)
    write("python2.npy", file)


def numpy2_npy():
    file = io.BytesIO()
    layers = {f"conv{g}_{c}": [f, b] for g, c, f, b in WEIGHTS} | {"fc6": list(DENSE)}
    layers["conv2_1"][0] = np.asfortranarray(layers["conv2_1"][0])
    np.save(file, layers, allow_pickle=True)
    write("numpy2.npy", file.getvalue())


def keras_files():
    model = keras.applications.VGG19(include_top=False, weights=None)
    for g, c, f, b in WEIGHTS:
        model.get_layer(f"block{g}_conv{c}").set_weights([f, b])
    path = HERE / "keras3.weights.h5"
    model.save_weights(path)
    write("keras3.h5", path.read_bytes())
    path.unlink()

    layers = [layer.name for layer in model.layers]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in layers])
        for name in layers:
            file.create_group(name).attrs["weight_names"] = np.array([], "S1")
        for g, c, f, b in WEIGHTS:
            group = file[f"block{g}_conv{c}"]
            names = [f"block{g}_conv{c}_W_1:0", f"block{g}_conv{c}_b_1:0"]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, value in zip(names, (f, b)):
                group.create_dataset(name, data=value)
    write("keras1.h5", path.read_bytes())
    path.unlink()
    return model


def torch_files():
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"])
    convolutions = [layer for layer in features if isinstance(layer, torch.nn.Conv2d)]
    with torch.no_grad():
        for layer, (_, _, f, b) in zip(convolutions, WEIGHTS, strict=True):
            layer.weight.copy_(torch.from_numpy(f).permute(3, 2, 0, 1))
            layer.bias.copy_(torch.from_numpy(b))
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state |= {"classifier.0.weight": torch.zeros(3, 2), "classifier.0.bias": torch.zeros(3)}


    for name, is_zip in (("legacy.pth", False), ("zip.pth", True)):
        file = io.BytesIO()
        torch.save(OrderedDict(state), file, _use_new_zipfile_serialization=is_zip)
        write(name, file.getvalue())
    write("torchvision.safetensors", safetensors({name: value.numpy() for name, value in state.items()}))
    return features


def safetensors(tensors):
    header, at = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(np.ascontiguousarray(v, np.float32).tobytes() for v in tensors.values())


def features(keras_model, torch_features):
    picture = np.random.default_rng(3).integers(0, 256, (1, 24, 24, 3)).astype(np.float32)
    found = {"picture": picture / 127.5 - 1}
    names = {"relu2_2": "block2_conv2", "relu5_4": "block5_conv4"}
    outputs = [keras_model.get_layer(name).output for name in names.values()]
    computed = keras.Model(keras_model.input, outputs)(keras.applications.vgg19.preprocess_input(picture.copy()))
    for name, value in zip(names, computed):
        found[f"keras/{name}"] = value.detach().numpy()
    normalise = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    x = normalise(torch.from_numpy(picture / 255).permute(0, 3, 1, 2))
    with torch.no_grad():
        for name, end in (("relu2_2", 9), ("relu5_4", 36)):
            found[f"torchvision/{name}"] = torch_features[:end](x).permute(0, 2, 3, 1).numpy()
    (HERE / "features.safetensors").write_bytes(safetensors(found))


python2_npy()
numpy2_npy()
features(keras_files(), torch_files())
