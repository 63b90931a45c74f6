"""PSNR and SSIM by named protocol, verdicts, published tables, and the PSNR doctor (lesson 06)."""

from srlib.metrics.doctor import diagnose
from srlib.metrics.evaluation import ProgressFileError, evaluate
from srlib.metrics.protocols import (
    PROTOCOLS,
    Protocol,
    lr_psnr,
    luma,
    psnr,
    ssim,
)
from srlib.metrics.published import PUBLISHED, protocol_sheet
from srlib.metrics.verdict import Verdict, compare, summarise

__all__ = [
    "PROTOCOLS",
    "PUBLISHED",
    "ProgressFileError",
    "Protocol",
    "Verdict",
    "compare",
    "diagnose",
    "evaluate",
    "lr_psnr",
    "luma",
    "protocol_sheet",
    "psnr",
    "ssim",
    "summarise",
]
