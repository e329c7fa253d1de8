"""Noise2Void (Krull et al. 2019, arXiv:1811.10980), written from the paper: it learns from the noisy frames alone.

A U-Net of depth 2 with 32 features and batch normalisation, as theirs, reads crops of 64x64 pixels in which 64 (1.5%)
have been replaced by a pixel drawn from the 5x5 around each, and learns to give what stood there. Adam at 4e-4, which
is halved at three quarters of the time; batches of 16, not their 128, as minutes on one core hold few.
"""

import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from temclean.training import loop

CROP, HIDDEN, REACH, BATCH = 64, 64, 2, 16


def twice(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first, self.second, self.third = twice(1, width), twice(width, 2 * width), twice(2 * width, 4 * width)
        self.up2, self.up1 = twice(6 * width, 2 * width), twice(3 * width, width)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        third = self.third(functional.max_pool2d(second, 2))
        second = self.up2(torch.cat([functional.interpolate(third, scale_factor=2), second], 1))
        first = self.up1(torch.cat([functional.interpolate(second, scale_factor=2), first], 1))
        result: Tensor = self.last(first)
        return result


def blinded(crops: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return crops in which pixels have been replaced by neighbours, and a mask of these."""
    count, rows, columns = crops.shape
    mask = np.zeros(crops.shape, np.float32)
    blind = crops.copy()
    number = np.repeat(np.arange(count), HIDDEN)
    y, x = draw.integers(0, rows, number.size), draw.integers(0, columns, number.size)
    side = 2 * REACH + 1
    chosen = (side**2 // 2 + draw.integers(1, side**2, number.size)) % side**2  # the middle one is the pixel itself
    from_y = np.clip(y + chosen // side - REACH, 0, rows - 1)
    from_x = np.clip(x + chosen % side - REACH, 0, columns - 1)
    blind[number, y, x] = crops[number, from_y, from_x]
    mask[number, y, x] = 1.0
    return blind, mask


def denoised(raw: np.ndarray, seconds: float, seed: int = 1) -> np.ndarray:
    """Train on frames for so many seconds of the processor, and return what the network makes of them."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    mean, spread = float(raw.mean()), float(raw.std())
    frames = ((raw - mean) / spread).astype(np.float32)
    network = UNet().train()
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-4, fused=True)
    began = time.process_time()
    while (spent := time.process_time() - began) < seconds:
        optimizer.param_groups[0]["lr"] = 4e-4 if spent < 0.75 * seconds else 2e-4
        places = (draw.integers(0, length - CROP + 1, BATCH) for length in frames.shape[1:])
        chosen = zip(draw.integers(0, len(frames), BATCH), *places, strict=True)
        crops = np.stack([frames[index, y : y + CROP, x : x + CROP] for index, y, x in chosen])
        crops = np.rot90(crops, draw.integers(4), (1, 2))[:, :: draw.choice([-1, 1])].copy()
        blind, mask = (torch.from_numpy(part)[:, None] for part in blinded(crops, draw))
        with loop.mixed("cpu"):
            restored = network(blind)
        loss = (mask * (restored.float() - torch.from_numpy(crops)[:, None]).square()).sum() / mask.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()
    with torch.no_grad():
        results = [network(torch.from_numpy(frame)[None, None])[0, 0].numpy() for frame in frames]
    return np.stack(results) * spread + mean
