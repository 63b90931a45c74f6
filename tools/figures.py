"""Write the figures of the lessons into a folder, for slides: python tools/figures.py [FOLDER]

They come from the committed notebooks, so nothing is run. A file is named for its lesson and its
cell, and index.md says what each one shows. The drawings of `docs/drawings` go beside them.
"""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]


def write_figures(folder: Path) -> int:
    """Write all figures and drawings, and return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Figures of the lessons", ""]
    for path in sorted((ROOT / "notebooks").glob("0*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            outputs = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
            for number, output in enumerate(outputs, 1):
                suffix = f"-{number}" if number > 1 else ""
                name = f"{path.stem[:2]}-{cell.id}{suffix}.png"
                (folder / name).write_bytes(base64.b64decode(output.data["image/png"]))
                alt = output.metadata.get("image/png", {}).get("alt", "")
                lines.append(f"* [{name}]({name}): {alt}")
    for drawing in sorted((ROOT / "docs/drawings").glob("*.svg")):
        shutil.copy(drawing, folder)
        lines.append(f"* [{drawing.name}]({drawing.name})")
    (folder / "index.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 2


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "figures"
    print(f"{write_figures(target)} figures in {target}")
