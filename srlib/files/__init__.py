"""Files that appear whole or not at all, downloads that are checked, and one job over a folder."""

from srlib.files.download import PATIENCE, DownloadError, Patience, fetch, sha256_of
from srlib.files.folder_job import FolderJob, FolderReport
from srlib.files.progress import Progress
from srlib.files.whole import write_whole

__all__ = [
    "PATIENCE",
    "DownloadError",
    "FolderJob",
    "FolderReport",
    "Patience",
    "Progress",
    "fetch",
    "sha256_of",
    "write_whole",
]
