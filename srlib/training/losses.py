"""The losses: pixel differences, SSIM, and a perceptual loss on features of VGG."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, l1_loss

from srlib.files.download import DownloadError, fetch, sha256_of
from srlib.zoo.layouts import PLAIN

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"  # 575 MB
VGG19_SHA256 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
SSIM_WINDOW = 11  # pixels
BACKBONES = {  # default layer, mean and standard deviation of the input, factor for the features
    "vgg16-lite": (  # Caffe takes 0 to 255 minus the mean; the factor gives about vgg19's range
        "relu3_3",
        (122.67892 / 255, 116.66877 / 255, 104.00699 / 255),
        (1 / 255,) * 3,
        1 / (255 * 0.226),
    ),
    "vgg19": ("relu5_4", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1.0),
}


def vgg19_path() -> Path:
    """The path at which torchvision keeps its VGG-19, in torch.hub's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints" / VGG19_URL.rpartition("/")[2]


def fetch_vgg19() -> Path:
    """Download torchvision's VGG-19 into torch.hub's cache, unless it is there."""
    try:
        return fetch([VGG19_URL], vgg19_path(), sha256=VGG19_SHA256)
    except DownloadError as error:
        hint = 'The backbone "vgg16-lite" needs no network; TORCH_HOME sets the cache folder.'
        raise DownloadError(f"{error}\n{hint}") from error


class PerceptualLoss(nn.Module):
    """Mean absolute difference of VGG features, small where two images look alike.

    Call it with two float (B, 3, H, W) RGB batches in [0, 1], SR first. Only SR gets a gradient.
    See Johnson et al. 2016 and Ledig et al. 2017.

    Args:
        backbone: "vgg19" for torchvision's ImageNet weights, which are downloaded once;
            "vgg16-lite" for the embedded layers up to relu3_3 of a VGG-16 fine-tuned for edge
            detection (HED, Xie and Tu 2015); "auto" for vgg19 if its file is there and intact,
            else vgg16-lite.
        layers: Weight by layer name, such as {"relu2_2": 1.0}. None takes relu5_4 of vgg19 or
            relu3_3 of vgg16-lite.

    Raises:
        ValueError: If the backbone or a layer is unknown.
        DownloadError: If vgg19 is needed and cannot be downloaded.
    """

    def __init__(self, backbone: str = "auto", layers: Mapping[str, float] | None = None):
        super().__init__()
        if backbone == "auto":
            path = vgg19_path()
            intact = path.exists() and sha256_of(path) == VGG19_SHA256
            backbone = "vgg19" if intact else "vgg16-lite"
        if backbone not in BACKBONES:
            raise ValueError(f"backbone must be auto, vgg16-lite or vgg19, not {backbone!r}.")
        self.backbone = backbone
        default, mean, std, self._unit = BACKBONES[backbone]
        layers = layers or {default: 1.0}
        features = _vgg_features(backbone)
        indices = _relu_indices(features)
        if unknown := layers.keys() - indices.keys():
            names = ", ".join(sorted(unknown))
            raise ValueError(f"{backbone} has no layer {names}; it has {', '.join(indices)}.")
        self._weights = {indices[name]: weight for name, weight in layers.items()}  # by index
        features.load_state_dict(_vgg_weights(backbone), assign=True)
        self.features = features[: max(self._weights) + 1].eval().requires_grad_(False)
        for name, values in (("mean", mean), ("std", std)):
            buffer = torch.tensor(values, **PLAIN).view(3, 1, 1)
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        with torch.no_grad():
            hr_features = self._features(hr)
        sr_features = self._features(sr)
        losses = [w * l1_loss(sr_features[i], hr_features[i]) for i, w in self._weights.items()]
        return sum(losses)

    def _features(self, rgb: Tensor) -> dict[int, Tensor]:
        """The features of the chosen layers, by index."""
        x = (rgb.to(self.mean.dtype) - self.mean) / self.std
        if self.backbone == "vgg16-lite":
            x = x.flip(1)  # Caffe's networks take BGR
        chosen = {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._weights:
                chosen[index] = x * self._unit
        return chosen


def _vgg_features(backbone: str) -> nn.Sequential:
    """VGG's convolutional part without weights, as far as the backbone has it."""
    from torchvision.models import vgg16, vgg19  # slow to import

    with torch.device("meta"):  # without memory for the classifier, and without random weights
        return vgg19().features if backbone == "vgg19" else vgg16().features[:16]


def _vgg_weights(backbone: str) -> dict[str, Tensor]:
    if backbone == "vgg16-lite":
        weights = load_file(str(files("srlib.zoo") / "weights" / "vgg16_lite.safetensors"))
    else:
        weights = torch.load(fetch_vgg19(), map_location="cpu", weights_only=True)
    parts = [(*key.split(".", 1), value.float()) for key, value in weights.items()]
    return {name: value for part, name, value in parts if part == "features"}


def _relu_indices(features: nn.Sequential) -> dict[str, int]:
    """The index of each ReLU by its name in the papers, "relu<block>_<number>"."""
    indices = {}
    block = 1
    number = 0
    for index, layer in enumerate(features):
        if isinstance(layer, nn.ReLU):
            number += 1
            indices[f"relu{block}_{number}"] = index
        elif isinstance(layer, nn.MaxPool2d):
            block += 1
            number = 0
    return indices


def ssim_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """1 - SSIM (Wang et al. 2004), the mean over RGB, with the 11-pixel window of the protocols.

    Alone it hardly sees a shift in brightness; Zhao et al. 2017 mix it with L1. Both images are
    (B, 3, H, W) in [0, 1], with at least 11 x 11 pixels.
    """
    places = torch.arange(SSIM_WINDOW, dtype=sr.dtype, device=sr.device) - SSIM_WINDOW // 2
    weights = torch.softmax(-((places / 1.5) ** 2) / 2, 0)
    planes = torch.cat([sr, hr, sr * sr + hr * hr, sr * hr]).flatten(0, 1)[:, None]
    filtered = conv2d(conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    sr_mean, hr_mean, squares, product = filtered.view(4, -1)
    c1 = 0.01**2
    c2 = 0.03**2
    mean_product = sr_mean * hr_mean
    mean_squares = sr_mean**2 + hr_mean**2
    luminance = (2 * mean_product + c1) / (mean_squares + c1)
    structure = (2 * (product - mean_product) + c2) / (squares - mean_squares + c2)
    return 1 - (luminance * structure).mean()


class SRLoss(nn.Module):
    """Weighted sum of L1, the SSIM loss and the perceptual loss.

    Call it with two float (B, 3, H, W) RGB batches in [0, 1], SR first.

    Args:
        pixel: Weight of L1.
        perceptual: Weight of `PerceptualLoss`; 0 leaves it out.
        backbone: See `PerceptualLoss`.
        layers: See `PerceptualLoss`.
        ssim: Weight of `ssim_loss`; 0 leaves it out.

    Raises:
        ValueError: If a weight is negative, or all are zero.
    """

    def __init__(
        self,
        pixel: float = 1.0,
        perceptual: float = 0.0,
        backbone: str = "auto",
        layers: Mapping[str, float] | None = None,
        ssim: float = 0.0,
    ):
        super().__init__()
        if min(pixel, perceptual, ssim) < 0 or pixel + perceptual + ssim == 0:
            raise ValueError(
                "The weights of a loss must not be negative, nor all zero: "
                f"pixel {pixel}, ssim {ssim}, perceptual {perceptual}."
            )
        self.pixel = pixel
        self.perceptual = perceptual
        self.ssim = ssim
        self.vgg = PerceptualLoss(backbone, layers) if perceptual else None

    @property
    def backbone(self) -> str:
        """The backbone of the perceptual loss, "" without one."""
        return self.vgg.backbone if self.vgg else ""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        loss = self.pixel * l1_loss(sr, hr)
        if self.ssim:
            loss = loss + self.ssim * ssim_loss(sr, hr)
        if self.vgg:
            loss = loss + self.perceptual * self.vgg(sr, hr)
        return loss
