"""The network for a picture, where the caller names none."""

import logging
from functools import lru_cache

from srlib.images.picture import AnyImage, Picture
from srlib.model.edsr import EDSR, SCALES
from srlib.upscaling.cost import predict_cost
from srlib.zoo.checkpoints import find, load_pretrained
from srlib.zoo.recommend import Recommendation, recommend_checkpoint

_FINER = {"edsr-lite": "edsr-baseline-srlib"}  # by the small network for the same pictures
_PATIENCE = 10.0  # seconds
loaded = lru_cache(maxsize=4)(load_pretrained)  # read once for a folder of pictures
_logger = logging.getLogger(__name__)


def choose_checkpoint(
    picture: AnyImage | Recommendation,
    scale: int,
    size: tuple[int, int],
    *,
    self_ensemble: bool = False,
    **options,
) -> Recommendation:
    """Choose the best of the embedded networks that suits a picture and takes ten seconds at most.

    If none is quick enough, "edsr-lite" is chosen. The time is that of `predict_cost`.

    Args:
        picture: As for `recommend_checkpoint`, or its answer.
        scale: Factor of the network: 2, 3 or 4.
        size: (height, width) of the picture in pixels.
        self_ensemble: As for `upscale`.
        **options: As for `upscale`.

    Returns:
        The name of the network, and why.

    Example:
        >>> import numpy as np
        >>> gray = np.full((64, 64, 3), 128, np.uint8)
        >>> choose_checkpoint(gray, 2, gray.shape[:2]).name
        'edsr-baseline-srlib'
    """
    suitable = picture
    if not isinstance(picture, Recommendation):
        suitable = recommend_checkpoint(picture, scale)
    finer = _FINER.get(suitable.name)
    if finer is None:
        return suitable
    passes = 8 if self_ensemble else 1
    seconds = passes * predict_cost(find(finer, scale).config, *size, **options).seconds
    if seconds <= _PATIENCE:
        return Recommendation(finer, suitable.reason)
    too_slow = f"{finer} would take about {seconds:.0f} seconds"
    return Recommendation(suitable.name, f"{suitable.reason}; {too_slow}")


def chosen_model(picture: Picture, scale: float | None, **options) -> EDSR:
    """Load the chosen network of the smallest scale that is enough; for no scale, that of x4."""
    model_scale = next((s for s in SCALES if s >= (scale or 4)), 4)
    choice = choose_checkpoint(picture, model_scale, picture.size, **options)
    _logger.info("x%d by %s", model_scale, choice)
    return loaded(choice.name, model_scale)
