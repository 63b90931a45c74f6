"""Files that appear whole or not at all, downloads that are checked, and one job over a folder."""

from srlib.files.download import Meter, fetch, progress_text, sha256_of
from srlib.files.transfer import PATIENCE, DownloadError, Patience
from srlib.files.whole import write_whole

__all__ = [
    "PATIENCE",
    "DownloadError",
    "Meter",
    "Patience",
    "fetch",
    "progress_text",
    "sha256_of",
    "write_whole",
]
