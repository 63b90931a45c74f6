"""From arrays to PyTorch's tensors and back. PyTorch is imported only when a tensor is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def to_tensor(rgb: np.ndarray) -> Tensor:
    """Convert a uint8 or uint16 array, (H, W, 3), to a float32 tensor, (3, H, W), in [0, 1].

    Example:
        >>> to_tensor(np.full((2, 4, 3), 255, np.uint8)).shape
        torch.Size([3, 2, 4])
    """
    import torch

    unit = rgb.astype(np.float32) / np.iinfo(rgb.dtype).max
    return torch.from_numpy(unit).permute(2, 0, 1).contiguous()


def to_array(tensor: Tensor, dtype: type = np.uint8) -> np.ndarray:
    """Convert a float tensor, (3, H, W), to an array, (H, W, 3), of uint8 or uint16.

    Values are clamped to [0, 1], scaled and rounded half up; NaN becomes 0.
    """
    top = np.iinfo(dtype).max
    values = tensor.detach().float().clamp(0, 1).nan_to_num_(nan=0.0).mul_(top).add_(0.5).floor_()
    return values.permute(1, 2, 0).cpu().numpy().astype(dtype)
