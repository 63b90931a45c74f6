"""Networks as ONNX files, computed by ONNX Runtime."""

import importlib.util

import numpy as np
import pytest
import torch

from srlib import SRError
from srlib.model.edsr import EDSR, EDSRConfig
from srlib.zoo import export_onnx, load_pretrained


@pytest.fixture
def runtime():
    pytest.importorskip("onnx", reason="onnx is a package of the extra `test`")
    return pytest.importorskip("onnxruntime", reason="it is a package of the extra `test`")


def own_model():
    """As a caller may have changed it: another block, half precision, in training."""
    model = EDSR(EDSRConfig(3, 2, 8, 0.1))
    model.body[0] = torch.nn.PReLU()
    return model.half().train()


@pytest.mark.parametrize("kind", ["edsr-lite x2", "edsr-lite x3", "edsr-lite-photo x4", "own"])
def test_onnx_runtime_gives_the_model_s_answer_at_any_size(runtime, tmp_path, kind):
    name, _, scale = kind.partition(" x")
    model = own_model() if kind == "own" else load_pretrained(name, int(scale))
    path = export_onnx(model, tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    session = runtime.InferenceSession(path)
    if kind == "own":
        assert model.training and model.tail[1].weight.dtype == torch.float16
        model = model.float().eval()
    for shape in ((1, 3, 7, 9), (2, 3, 31, 1), (3, 3, 16, 45)):
        lr = torch.rand(shape)
        with torch.inference_mode():
            expected = model(lr).numpy()
        [sr] = session.run(["sr"], {"lr": lr.numpy()})
        assert sr.shape == expected.shape and np.abs(sr - expected).max() * 255 < 0.01


def test_browsers_can_read_it(runtime, tmp_path):
    """Plain operators of an opset that ONNX Runtime Web has had for years, weights inside."""
    import onnx

    graph = onnx.load(export_onnx(load_pretrained("edsr-lite", 4), tmp_path / "a.onnx"))
    onnx.checker.check_model(graph, full_check=True)
    assert [(o.domain, o.version <= 17) for o in graph.opset_import] == [("", True)]
    operators = {node.op_type for node in graph.graph.node}
    assert {"Conv", "Relu", "DepthToSpace"} <= operators and len(operators) < 10


def test_a_file_that_is_there_is_kept(runtime, tmp_path):
    model = EDSR(EDSRConfig(2, 1, 4))
    (tmp_path / "a.onnx").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a\.onnx"):
        export_onnx(model, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_text() == "mine"
    assert export_onnx(model, tmp_path / "a.onnx", overwrite=True).stat().st_size > 100


def test_without_the_package_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SRError, match="pip install onnx"):
        export_onnx(EDSR(EDSRConfig(2, 1, 4)), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_the_input_is_float32_whatever_the_default(runtime, tmp_path):
    model = EDSR(EDSRConfig(2, 1, 8))
    torch.set_default_dtype(torch.float64)
    try:
        path = export_onnx(model, tmp_path / "model.onnx")
    finally:
        torch.set_default_dtype(torch.float32)
    assert runtime.InferenceSession(path).get_inputs()[0].type == "tensor(float)"
