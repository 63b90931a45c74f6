"""The one rule for the device to compute on."""

import torch


def best_device(device: str | torch.device = "auto") -> torch.device:
    """Choose the device to compute on.

    Args:
        device: "auto" for CUDA, else MPS (Apple), else the CPU; or the device to use, such as
            "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: PyTorch knows no such device, or this machine does not have it.
    """
    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
        else:
            device = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # a build without CUDA asserts
        raise ValueError(
            f"There is no device {str(device)!r} here, or PyTorch cannot use it: "
            'take "auto" or "cpu".'
        ) from error
