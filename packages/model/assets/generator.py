"""The generator of a super-resolution GAN in PyTorch, for the generator.safetensors beside this file.

    generator = load("generator.safetensors")
    sr = generator(lr)    # lr: [batch, 3, height, width] in [0, 1]; sr: 4 times the height and width, about [-1, 1]
"""

import torch
from safetensors.torch import load_file
from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.prelu = nn.PReLU(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, channels=64, blocks=16):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, channels, 9, padding=4), nn.PReLU(channels))
        self.blocks = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        self.trunk = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.up1 = nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(channels))
        self.up2 = nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(channels))
        self.tail = nn.Conv2d(channels, 3, 9, padding=4)

    def forward(self, lr):
        x = self.head(lr)
        return self.tail(self.up2(self.up1(x + self.trunk(self.blocks(x)))))


def load(path):
    state = load_file(path)
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    generator = Generator(state["head.0.weight"].shape[0], blocks)
    generator.load_state_dict(state)
    return generator.eval()
