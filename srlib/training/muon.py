"""Muon: gradient descent with orthogonalised momentum, for the convolutions of the body."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from srlib.model.edsr import EDSR
from srlib.training.config import TrainConfig

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients of x, x³ and x⁵


class Muon(torch.optim.Optimizer):
    """Momentum whose updates are orthogonalised (Keller Jordan 2024, github.com/KellerJordan/Muon).

    A weight (out, in, ...) is taken as a matrix of `out` rows. Its update has nearly equal
    singular values, so that rare directions are learned as fast as common ones. The update is
    scaled to the size of Adam's, so that Adam's learning rates fit (Moonlight, arXiv 2502.16982).

    Args:
        params: Weights of two dimensions or more.
        lr: The learning rate.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape.setdefault(weight.shape, []).append(weight)
            for shape, weights in by_shape.items():
                matrices = torch.stack([self._nesterov(weight).flatten(1) for weight in weights])
                size = 0.2 * max(matrices.shape[1:]) ** 0.5
                for weight, update in zip(weights, orthogonalised(matrices), strict=True):
                    weight.add_(update.view(shape), alpha=-group["lr"] * size)

    def _nesterov(self, weight: nn.Parameter) -> Tensor:
        """Average the gradient into the momentum and look one step ahead."""
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(state["momentum"], MOMENTUM)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values near 1, by five steps of a Newton-Schulz iteration.

    Those above a hundredth of the Frobenius norm come to lie between 0.68 and 1.2; the singular
    vectors stay. matrices: (B, rows, columns).
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


def make_optimizers(model: EDSR, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Adam for all trained weights, or Muon for the body's convolutions and Adam for the rest."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    body = {}
    if config.optimizer == "muon":
        body = {n: p for n, p in trained.items() if n.startswith("body.") and p.ndim == 4}
    rest = [parameter for name, parameter in trained.items() if name not in body]
    optimizers: list[torch.optim.Optimizer] = []
    if rest:
        optimizers.append(torch.optim.Adam(rest, config.learning_rate, fused=True))
    if body:
        optimizers.append(Muon(body.values(), config.learning_rate))
    return optimizers
