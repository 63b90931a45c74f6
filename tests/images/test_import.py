"""Reading pictures needs no PyTorch."""

import subprocess
import sys


def test_the_room_loads_without_torch():
    code = "import srlib.images as room, sys; [getattr(room, n) for n in room.__all__]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
