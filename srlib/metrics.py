"""PSNR and SSIM by protocol, tables over a data set, verdicts, and the PSNR doctor (notebook 06): the names to import."""

from __future__ import annotations

from srlib.diagnose import diagnose
from srlib.evaluation import Metric, Upscaler, evaluate
from srlib.protocols import PROTOCOLS, Protocol, lr_psnr, luma, psnr, ssim
from srlib.published import PUBLISHED, protocol_sheet
from srlib.summary import Verdict, compare, summarise

__all__ = [
    "PROTOCOLS", "PUBLISHED", "Metric", "Protocol", "Upscaler", "Verdict", "compare", "diagnose", "evaluate", "lr_psnr", "luma",
    "protocol_sheet", "psnr", "ssim", "summarise",
]  # fmt: skip
