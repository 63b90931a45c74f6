"""Files that appear whole or not at all, downloads that are checked, and one job over a folder."""

from srlib.files.download import fetch, sha256_of
from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Meter, Progress, duration_text, progress_text
from srlib.files.transfer import PATIENCE, DownloadError, Patience
from srlib.files.whole import write_whole

__all__ = [
    "PATIENCE",
    "DownloadError",
    "FolderJob",
    "FolderReport",
    "Meter",
    "Patience",
    "Progress",
    "duration_text",
    "fetch",
    "progress_text",
    "sha256_of",
    "write_whole",
]
