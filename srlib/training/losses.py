"""What training minimises: a pixel loss, SSIM, and a perceptual loss on the features of VGG (notebook 04)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, l1_loss, mse_loss

from srlib.files.transfer import DownloadError
from srlib.files.download import fetch, sha256_of
from srlib.files.transfer import Progress

_CHANNELS = (64, 128, 256, 512, 512)
_DEPTHS = {"vgg16-lite": (2, 2, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions per block
_DEFAULT_LAYERS = {"vgg16-lite": {"relu3_3": 1.0}, "vgg19": {"relu5_4": 1.0}}
VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"  # torchvision's ImageNet weights, 575 MB
VGG19_SHA256 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"


def vgg19_path() -> Path:
    """Where torchvision keeps its VGG-19: torch.hub's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints" / VGG19_URL.rpartition("/")[2]


def fetch_vgg19(*, on_progress: Progress | None = None) -> Path:
    """torchvision's VGG-19 in torch.hub's cache, fetched unless it is there and whole.  Raises DownloadError."""
    try:
        return fetch([VGG19_URL], vgg19_path(), sha256=VGG19_SHA256, on_progress=on_progress)
    except DownloadError as error:
        raise DownloadError(f'{error}\nBackbone "vgg16-lite" needs no network; TORCH_HOME says where files are kept.') from error


class PerceptualLoss(nn.Module):
    """The mean absolute difference of VGG features: small where two images look alike (Johnson et al. 2016, Ledig et al. 2017).

    backbone: "vgg19", torchvision's ImageNet weights, fetched once into torch.hub's cache (see `fetch_vgg19`); "vgg16-lite",
    embedded in srlib (up to relu3_3, as tuned by holistically-nested edge detection); "auto", vgg19 if it is on disk and whole,
    else vgg16-lite.
    layers: weight by name, such as {"relu2_2": 1.0}; relu5_4 of vgg19 or relu3_3 of vgg16-lite if None.
    Takes two (B, 3, H, W) batches of RGB in [0, 1]; only the first gets a gradient.  Raises ValueError for an unknown backbone or
    layer, DownloadError if vgg19 is neither on disk nor to be had.
    """

    def __init__(self, backbone: str = "auto", layers: Mapping[str, float] | None = None):
        super().__init__()
        if backbone == "auto":
            path = vgg19_path()  # a download of torchvision's that was cut must not pass for it
            backbone = "vgg19" if path.exists() and sha256_of(path) == VGG19_SHA256 else "vgg16-lite"
        if backbone not in _DEPTHS:
            raise ValueError(f"The backbone is auto, {' or '.join(_DEPTHS)}, not {backbone!r}.")
        self.backbone, self.layers = backbone, dict(layers or _DEFAULT_LAYERS[backbone])
        features, names = _vgg(_DEPTHS[backbone])
        unknown = self.layers.keys() - names.keys()
        if unknown:
            raise ValueError(f"{backbone} has no layer {', '.join(sorted(unknown))}; it has {', '.join(names)}.")
        features.load_state_dict({key.removeprefix("features."): value for key, value in _weights(backbone).items()})
        self._taps = {names[name]: weight for name, weight in self.layers.items()}
        self.features = features[: max(self._taps) + 1].eval().requires_grad_(False)
        if backbone == "vgg19":
            mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        else:  # Caffe's input is BGR in 0..255; the first convolution was not turned round, so the image is
            mean, std = torch.tensor([122.67892, 116.66877, 104.00699]) / 255, torch.full((3,), 1 / 255)
        self.register_buffer("mean", mean.view(3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> PerceptualLoss:
        return super().train(False)  # the judge does not learn

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._activations(hr)
        given = self._activations(sr)
        return sum(weight * l1_loss(a, b) for weight, a, b in zip(self._taps.values(), given, wanted, strict=True))

    def _activations(self, rgb: Tensor) -> list[Tensor]:
        x, found = (rgb - self.mean) / self.std, {}
        if self.backbone == "vgg16-lite":
            x = x.flip(1)
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                found[index] = x
        # Caffe's inputs are 255 * 0.226 times larger than torchvision's, and so are the features, nearly
        unit = 1 / (255 * 0.226) if self.backbone == "vgg16-lite" else 1.0
        return [found[index] * unit for index in self._taps]


def _vgg(depths: tuple[int, ...]) -> tuple[nn.Sequential, dict[str, int]]:
    """VGG's convolutions in torchvision's order, and the index of each ReLU by its name in the papers, "relu<block>_<number>"."""
    layers, names, n_in = [], {}, 3
    for block, (depth, n_out) in enumerate(zip(depths, _CHANNELS, strict=False), 1):
        for number in range(1, depth + 1):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
            names[f"relu{block}_{number}"] = len(layers) - 1
            n_in = n_out
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers), names


def _weights(backbone: str) -> dict[str, Tensor]:
    if backbone == "vgg16-lite":
        return load_file(str(files("srlib.zoo") / "weights" / "vgg16_lite.safetensors"))
    stored = torch.load(fetch_vgg19(), map_location="cpu", weights_only=True)
    return {key: value for key, value in stored.items() if key.startswith("features.")}


def charbonnier_loss(sr: Tensor, hr: Tensor, epsilon: float = 1e-3) -> Tensor:
    """The mean of sqrt(error² + epsilon²): L1 with a round bottom (Lai et al. 2017, LapSRN, section 3.3)."""
    return ((sr - hr).square() + epsilon**2).sqrt().mean()


PIXEL_LOSSES = {"l1": l1_loss, "mse": mse_loss, "charbonnier": charbonnier_loss}


SSIM_WINDOW = 11  # pixels


def ssim_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004) as the protocols measure it, with a Gaussian window of 11 pixels, the mean over RGB.

    Takes two (B, 3, H, W) in [0, 1] of at least 11 x 11 pixels.  Zhao et al. 2017 (Loss functions for image restoration) mix it
    with L1: alone it is blind to a small shift of brightness.
    """
    places = torch.arange(SSIM_WINDOW, dtype=sr.dtype, device=sr.device) - SSIM_WINDOW // 2
    weights = torch.softmax(-((places / 1.5) ** 2) / 2, 0)
    planes = torch.cat([sr, hr, sr * sr + hr * hr, sr * hr]).flatten(0, 1)[:, None]
    means = conv2d(conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    mean_a, mean_b, squares, product = means.view(4, -1)
    means, both, c1, c2 = mean_a * mean_b, mean_a**2 + mean_b**2, 0.01**2, 0.03**2
    return 1 - ((2 * means + c1) / (both + c1) * (2 * (product - means) + c2) / (squares - both + c2)).mean()


class SRLoss(nn.Module):
    """pixel * distance + ssim * ssim_loss + perceptual * PerceptualLoss, for (B, 3, H, W) RGB in [0, 1].

    A weight of zero leaves that part out.  distance: "l1", the mean absolute error; "mse", the mean squared error, which PSNR is
    made of; "charbonnier".
    """

    def __init__(
        self,
        pixel: float = 1.0,
        perceptual: float = 0.0,
        backbone: str = "auto",
        layers: Mapping[str, float] | None = None,
        distance: str = "l1",
        ssim: float = 0.0,
    ):
        super().__init__()
        weights = {"pixel": pixel, "ssim": ssim, "perceptual": perceptual}
        if min(weights.values()) < 0 or not any(weights.values()):
            said = ", ".join(f"{name} {weight}" for name, weight in weights.items())
            raise ValueError(f"The weights of a loss are not negative and not all zero: {said}.")
        if distance not in PIXEL_LOSSES:
            raise ValueError(f"The distance is {', '.join(PIXEL_LOSSES)}, not {distance!r}.")
        self.pixel, self.ssim, self.perceptual, self.distance = pixel, ssim, perceptual, distance
        self.vgg = PerceptualLoss(backbone, layers) if perceptual else None

    @property
    def backbone(self) -> str:
        """Whose features are compared; "" where none are."""
        return self.vgg.backbone if self.vgg else ""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        loss = self.pixel * PIXEL_LOSSES[self.distance](sr, hr)
        if self.ssim:
            loss = loss + self.ssim * ssim_loss(sr, hr)
        return loss + self.perceptual * self.vgg(sr, hr) if self.vgg else loss
