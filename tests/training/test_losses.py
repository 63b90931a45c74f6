import hashlib

import pytest
import torch
from mirror_server import mirror_server
from skimage.metrics import structural_similarity
from torch.nn.functional import conv2d, max_pool2d, relu
from torchvision.models import VGG19_Weights, vgg19

from srlib.files.download import DownloadError, sha256_of
from srlib.images.tensors import to_tensor
from srlib.training import losses
from srlib.training.losses import PerceptualLoss, SRLoss, ssim_loss
from srlib.zoo.checkpoints import WEIGHTS_DIR


@pytest.fixture
def batch(photo):
    return to_tensor(photo)[None]


def test_the_embedded_network_is_what_was_extracted():
    """1,735,488 values: seven convolutions of VGG-16."""
    content = (WEIGHTS_DIR / "vgg16_lite.safetensors").read_bytes()
    assert sum(p.numel() for p in PerceptualLoss("vgg16-lite").parameters()) == 1_735_488
    assert hashlib.sha256(content).hexdigest() in (WEIGHTS_DIR / "MODEL_CARD.md").read_text()
    assert (
        "Permission is hereby granted" in (WEIGHTS_DIR / "vgg16_lite.LICENSE.txt").read_text()
    )  # as the MIT licence asks


def test_against_a_second_implementation(batch):
    """Caffe's VGG-16 written out: BGR, 0 to 255 minus the mean, up to relu2_2."""
    from safetensors.torch import load_file

    w = {k: v.float() for k, v in load_file(WEIGHTS_DIR / "vgg16_lite.safetensors").items()}

    def features(rgb):
        x = rgb[:, [2, 1, 0]] * 255 - torch.tensor([104.00699, 116.66877, 122.67892]).view(3, 1, 1)
        for index in (0, 2, 5, 7):
            x = relu(
                conv2d(x, w[f"features.{index}.weight"], w[f"features.{index}.bias"], padding=1)
            )
            x = max_pool2d(x, 2) if index == 2 else x
        return x

    other = batch.flip(-1)
    expected = (features(batch) - features(other)).abs().mean() / (255 * 0.226)
    assert PerceptualLoss("vgg16-lite", {"relu2_2": 1.0})(batch, other).item() == pytest.approx(
        expected.item(), rel=1e-4
    )


def test_vgg19_is_torchvisions(batch, tmp_path, monkeypatch):
    """With random weights in the place of the downloaded ones, the features are those of torchvision's own network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    with torch.device("meta"):
        network = vgg19(weights=None)
    features = network.features.to_empty(device="cpu").eval()
    for parameter in features.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    assert PerceptualLoss("auto").backbone == "vgg16-lite"
    losses.vgg19_path().parent.mkdir(parents=True)
    torch.save({f"features.{k}": v for k, v in features.state_dict().items()}, losses.vgg19_path())
    assert (
        PerceptualLoss("auto").backbone == "vgg16-lite"
    )  # a file of another hash is not taken for it
    monkeypatch.setattr(losses, "VGG19_SHA256", sha256_of(losses.vgg19_path()))
    loss = PerceptualLoss("auto", {"relu2_2": 0.5, "relu5_4": 2.0})
    assert loss.backbone == "vgg19"
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    x = (batch - mean) / std
    y = (batch.flip(-1) - mean) / std
    expected = (
        0.5 * (features[:9](x) - features[:9](y)).abs().mean()
        + 2 * (features[:36](x) - features[:36](y)).abs().mean()
    )
    assert loss(batch, batch.flip(-1)).item() == pytest.approx(expected.item(), rel=1e-4)


def test_vgg19_is_fetched_once_and_checked(tmp_path, monkeypatch):
    assert (
        VGG19_Weights.IMAGENET1K_V1.url == losses.VGG19_URL
        and f"-{losses.VGG19_SHA256[:8]}." in losses.VGG19_URL
    )
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    content = bytes(range(256)) * 1000
    losses.vgg19_path().parent.mkdir(parents=True)
    losses.vgg19_path().write_bytes(content[:1000])  # what a download that was cut may leave
    with mirror_server({"vgg19-dcbb9e9d.pth": content}) as mirror:
        monkeypatch.setattr(losses, "VGG19_URL", f"{mirror.url}/good/vgg19-dcbb9e9d.pth")
        with pytest.raises(
            DownloadError, match=r'(?s)gave another file.*backbone "vgg16-lite" needs no network'
        ):
            losses.fetch_vgg19()
        monkeypatch.setattr(losses, "VGG19_SHA256", hashlib.sha256(content).hexdigest())
        assert losses.fetch_vgg19().read_bytes() == content
        asked = len(mirror.asked)
        losses.fetch_vgg19()
        assert len(mirror.asked) == asked


def test_it_judges_as_an_eye_does(batch):
    """At equal mean squared error a blur costs more than noise, and both far more than a change of brightness."""
    torch.manual_seed(0)
    blurred = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(batch, (1, 1, 1, 1), mode="reflect"), 3, 1
    )
    rms = (blurred - batch).pow(2).mean().sqrt()
    loss = PerceptualLoss("vgg16-lite")
    blur, noise, brightness = (
        loss(v, batch).item() for v in (blurred, batch + rms * torch.randn_like(batch), batch + rms)
    )
    assert blur > 1.2 * noise and noise > 3 * brightness


def test_gradient_goes_to_sr_alone(batch):
    loss = PerceptualLoss("vgg16-lite", {"relu1_2": 1.0}).train()
    sr = batch.clone().requires_grad_()
    hr = batch.flip(-1).requires_grad_()
    loss(sr, hr).backward()
    assert sr.grad.abs().sum() > 0 and hr.grad is None
    assert all(p.grad is None for p in loss.parameters())


def test_gradcheck():
    loss = PerceptualLoss("vgg16-lite", {"relu1_1": 1.0}).double()
    torch.manual_seed(1)
    sr = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    hr = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, hr), sr)


def test_srloss_adds_up(batch):
    other = batch.flip(-1)
    l1 = (batch - other).abs().mean()
    assert SRLoss()(batch, other) == l1 and SRLoss().vgg is None
    vgg = PerceptualLoss("vgg16-lite", {"relu2_2": 1.0})(batch, other)
    both = SRLoss(2.0, 0.1, "vgg16-lite", {"relu2_2": 1.0})(batch, other)
    assert both.item() == pytest.approx((2 * l1 + 0.1 * vgg).item(), rel=1e-5)
    assert SRLoss(1.0, 0.1, "vgg16-lite")(batch, batch) == 0


def test_ssim_is_scikit_images(batch):
    other = (batch + 0.1 * batch.flip(-1)).clamp(0, 1)
    a, b = (image[0].permute(1, 2, 0).double().numpy() for image in (batch, other))
    settings = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 1.0,
    }
    _, windows = structural_similarity(a, b, channel_axis=2, full=True, **settings)
    expected = 1 - windows[5:-5, 5:-5].mean()
    both = torch.cat([batch, other])
    assert ssim_loss(batch.double(), other.double()).item() == pytest.approx(expected, rel=1e-9)
    assert ssim_loss(both, torch.cat([other, batch])).item() == pytest.approx(
        expected, rel=1e-4
    )  # a batch, in float32
    assert SRLoss(0, ssim=0.5)(batch, other).item() == pytest.approx(expected / 2, rel=1e-4)
    assert ssim_loss(batch, batch).item() == pytest.approx(0, abs=1e-6)


def test_gradcheck_of_ssim():
    torch.manual_seed(1)
    sr = torch.rand(1, 3, 12, 12, dtype=torch.float64, requires_grad=True)
    hr = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ssim_loss(x, hr), sr)


def test_it_says_whose_features_it_compares():
    assert (
        SRLoss().backbone == ""
        and SRLoss(perceptual=0.1, backbone="vgg16-lite").backbone == "vgg16-lite"
    )


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: PerceptualLoss("resnet"), ValueError, "vgg16-lite"),
        (
            lambda: PerceptualLoss("vgg16-lite", {"relu5_4": 1.0}),
            ValueError,
            "has no layer relu5_4",
        ),
        (lambda: PerceptualLoss("vgg19"), DownloadError, "needs no network"),
        (lambda: SRLoss(0.0, 0.0), ValueError, "nor all zero: pixel 0.0, ssim 0.0, perceptual 0.0"),
        (lambda: SRLoss(-1.0), ValueError, "not be negative"),
    ],
)
def test_says_what_is_wrong(make, error, says, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        losses, "VGG19_URL", "http://127.0.0.1:9/vgg19-dcbb9e9d.pth"
    )  # where nobody listens
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_takes_any_precision_under_any_default(dtype):
    sr, hr = torch.rand(2, 1, 3, 16, 16, dtype=torch.float32)
    expected = PerceptualLoss("vgg16-lite")(sr, hr)
    torch.set_default_dtype(torch.float64)
    try:
        assert PerceptualLoss("vgg16-lite")(sr.to(dtype), hr.to(dtype)) == expected
    finally:
        torch.set_default_dtype(torch.float32)
