"""The settings of a training, the learning rate of each step, and the start from another scale."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from srlib.model.edsr import EDSR, EDSRConfig
from srlib.training.losses import BACKBONES

_AT_LEAST_ONE = ("patch_size", "batch_size", "steps_per_epoch", "max_epochs", "patience")
_CHOICES = {
    "backbone": ("auto", *BACKBONES),
    "precision": ("auto", "float32", "bfloat16"),
    "optimizer": ("adam", "muon"),
    "compile": (False, True),
}


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training.

    Attributes:
        patch_size: Side of the training patches in HR pixels, a multiple of the scale.
        batch_size: Patches per step.
        steps_per_epoch: Steps between two validations. The state is saved after each of them.
        max_epochs: Number of epochs, unless training stops early.
        learning_rate: The rate at the top of half a cosine, which falls from the first step to
            zero at the last.
        warm_up_steps: Steps in which the rate grows linearly up to that cosine.
        max_grad_norm: Gradients longer than this are scaled down to it; 0 sets no limit.
        ema_decay: Decay of a moving average of the weights. The average is then the network that
            is validated and kept. 0 keeps no average.
        patience: Stop after this many epochs without a lower validation loss.
        min_delta: The least decrease of the validation loss that counts as lower.
        pixel: Weight of L1, the mean absolute difference of the pixels.
        ssim: Weight of the SSIM loss.
        perceptual: Weight of the perceptual loss.
        backbone: Network of the perceptual loss, see `PerceptualLoss`.
        layers: Weights of its layers by name; the backbone's default layer if None.
        precision: Precision of the network's body: "float32", "bfloat16", or "auto". On a CPU
            "auto" takes the faster one, which it measures before the first step, or float32 for
            50 steps or fewer; on a GPU it takes bfloat16 if the GPU supports it. Everything else
            is computed in float32.
        optimizer: "adam", or "muon" for Muon on the body's convolutions and Adam on the rest.
        compile: Compile the training step by torch.compile. This needs a C++ compiler and a
            minute at the start, so it only pays for long runs on a GPU.
        seed: Seed of the random patches.

    Raises:
        ValueError: If a setting is out of range or of the wrong type.

    Example:
        >>> TrainConfig(learning_rate=1e-3, max_epochs=4).batch_size
        16
    """

    patch_size: int = 96
    batch_size: int = 16
    steps_per_epoch: int = 200
    max_epochs: int = 30
    learning_rate: float = 1e-4
    warm_up_steps: int = 20
    max_grad_norm: float = 1.0
    ema_decay: float = 0.0
    patience: int = 3
    min_delta: float = 0.0
    pixel: float = 1.0
    ssim: float = 0.0
    perceptual: float = 0.0
    backbone: str = "auto"
    layers: dict[str, float] | None = field(default=None, hash=False)
    precision: str = "auto"
    optimizer: str = "adam"
    compile: bool = False
    seed: int = 0

    def __post_init__(self):
        for setting in fields(self):
            name = setting.name
            value = getattr(self, name)
            if setting.type in (int, float):
                least = 1 if name in _AT_LEAST_ONE else 0
                number = _number(name, value, whole=setting.type is int, least=least)
                object.__setattr__(self, name, number)
            elif name in _CHOICES and value not in _CHOICES[name]:
                choices = ", ".join(map(str, _CHOICES[name]))
                raise ValueError(f"{name} must be one of {choices}, not {value!r}.")
            elif setting.type is str:
                object.__setattr__(self, name, str(value))
        # Plain values, as last.pt can hold them.
        object.__setattr__(self, "compile", bool(self.compile))
        if self.layers is not None:
            if not isinstance(self.layers, Mapping):
                raise ValueError(f"layers must be weights by name, not {self.layers!r}.")
            layers = {str(name): _number(f"layers[{name!r}]", w) for name, w in self.layers.items()}
            object.__setattr__(self, "layers", layers)
        if self.ema_decay >= 1:
            raise ValueError(f"ema_decay must be below 1, not {self.ema_decay}.")


def _number(name: str, value: Any, *, whole: bool = False, least: int = 0) -> int | float:
    """The setting as an int or a float, whichever of NumPy's types it came in."""
    kind = Integral if whole else Real
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < math.inf:
        numbers = "a whole number" if whole else "a finite number"
        raise ValueError(f"{name} must be {numbers}, {least} or more, not {value!r}.")
    return int(value) if whole else float(value)


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """The learning rate of a step: linear warm-up, then half a cosine down to zero.

    Args:
        step: Number of the step, from 0.
        config: The settings of the training.

    Example:
        >>> config = TrainConfig(learning_rate=1e-3, warm_up_steps=0)
        >>> learning_rate_at(0, config), learning_rate_at(3000, config)
        (0.001, 0.0005)
    """
    steps = config.max_epochs * config.steps_per_epoch
    warm_up = min(1.0, (step + 1) / max(1, config.warm_up_steps))
    return config.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))


def transferred(model: EDSR, scale: int) -> EDSR:
    """Build an EDSR for another scale with the head, the body and the mean shift of `model`.

    The paper trains x3 and x4 from x2 in this way (section 3.2 and figure 4). The new tail is
    random. To train it alone at first, freeze `head` and `body` by `requires_grad_(False)`.
    """
    config = model.config
    new = EDSR(EDSRConfig(scale, config.n_resblocks, config.n_feats, config.res_scale))
    kept = {name: w for name, w in model.state_dict().items() if not name.startswith("tail.")}
    new.load_state_dict(new.state_dict() | kept)
    return new
