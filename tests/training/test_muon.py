"""Muon against its definition, and in a training."""

from dataclasses import replace

import pytest
import torch
from tiny_training import CONFIG, make_model, run, same_weights

from srlib.training.config import TrainConfig
from srlib.training.muon import Muon, make_optimizers, orthogonalised


@pytest.mark.parametrize("shape", [(64, 576), (576, 64), (32, 288), (8, 72)])
def test_an_update_is_nearly_orthogonal(shape):
    """The singular vectors stay, and all singular values come near 1."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    update = orthogonalised(matrix[None])[0]
    assert update.shape == shape
    values = torch.linalg.svdvals(update)
    assert values.min() > 0.68 and values.max() < 1.2
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    rotated = left.T @ update @ right.T
    assert (rotated - torch.diag(rotated.diagonal())).abs().max() < 1e-4


@pytest.mark.parametrize("size", [1e-20, 1e20])
def test_the_size_of_the_gradient_does_not_matter(size):
    matrix = torch.randn(1, 16, 48, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(orthogonalised(matrix * 1e-3), orthogonalised(matrix), atol=1e-5)
    assert orthogonalised(matrix * size).isfinite().all()
    assert not orthogonalised(torch.zeros(1, 4, 9)).any()


def test_an_update_is_as_large_as_adams():
    """Its root mean square is the learning rate times 0.2, as Adam's is in practice."""
    weight = torch.nn.Parameter(torch.zeros(64, 64, 3, 3))
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    Muon([weight], lr=0.01).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.25)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon came with torch 2.9")
def test_against_pytorchs_muon():
    """PyTorch's takes matrices alone and iterates in bfloat16."""
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.zeros(16, 48)) for _ in range(2))
    options = {"lr": 0.01, "weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = [Muon([ours], lr=0.01), torch.optim.Muon([theirs], **options)]
    for _ in range(5):
        ours.grad = torch.randn(16, 48)
        theirs.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_which_weights_it_trains():
    model = make_model()
    convolutions = [name for name, p in model.body.named_parameters() if p.ndim == 4]
    adam, muon = make_optimizers(model, TrainConfig(optimizer="muon"))
    assert isinstance(muon, Muon) and len(muon.param_groups[0]["params"]) == len(convolutions) == 3
    assert isinstance(adam, torch.optim.Adam)
    trained = [p for optimizer in (adam, muon) for p in optimizer.param_groups[0]["params"]]
    assert {id(p) for p in trained} == {id(p) for p in model.parameters() if p.requires_grad}
    assert len(make_optimizers(model, TrainConfig())) == 1
    model.body.requires_grad_(False)
    assert len(make_optimizers(model, TrainConfig(optimizer="muon"))) == 1


def test_it_learns_and_resumes_to_the_bit(tmp_path):
    config = replace(CONFIG, optimizer="muon")

    def interrupt(kind, step, _):
        if step == 12:
            raise KeyboardInterrupt

    straight, history = run(tmp_path / "straight", config)
    assert history.best.valid_psnr > history.start.valid_psnr + 3
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", config, on_event=interrupt)
    resumed, _ = run(tmp_path / "broken", config, resume=True)
    last = [torch.load(tmp_path / d / "last.pt")["model"] for d in ("straight", "broken")]
    assert same_weights(resumed, straight) and same_weights(*last)
