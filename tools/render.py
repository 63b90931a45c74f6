"""Execute the notebooks with their defaults and store their outputs in the form that is committed.

    python tools/render.py            all of them, in order
    python tools/render.py 03 06      these, on what the last full rendering left in runs/render/

Execution counts run from 1. Of the metadata, kernelspec, tags and folded code stay. Widget views, progress bars and all of stderr are
removed. Rendering twice on one machine gives the same bytes, but for the seconds that lesson 04 prints.
"""

from __future__ import annotations

import base64
import io
import shutil
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WORKSPACE = ROOT / "runs" / "render"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CHART_COLOURS = 2100  # charts have up to two thousand, with the shades of their edges; crops of photographs in colour have more
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def main():
    chosen = sys.argv[1:]
    if not chosen:
        shutil.rmtree(WORKSPACE, ignore_errors=True)
    (WORKSPACE / "notebooks" / "solutions").mkdir(parents=True, exist_ok=True)
    if not (WORKSPACE / "data").exists():
        (WORKSPACE / "data").symlink_to(ROOT / "data")
    for path in sorted((ROOT / "notebooks").glob("0*.ipynb")) + sorted(
        (ROOT / "notebooks" / "solutions").glob("*.ipynb")
    ):
        if not chosen or any(path.name.startswith(number) for number in chosen):
            print(path.stem, flush=True)
            render(path)


def render(path: Path):
    notebook = nbformat.read(path, as_version=4)
    cwd = WORKSPACE / path.parent.relative_to(ROOT)
    client = NotebookClient(
        notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": str(cwd)}},
        store_widget_state=False, skip_cells_with_tag="skip-execution",
    )  # fmt: skip
    client.execute()
    count = 0
    for cell in notebook.cells:
        kept = {"tags", "jupyter"}  # "jupyter" folds the code of lesson 00
        cell.metadata = {
            key: value for key, value in cell.metadata.items() if key in kept and value
        }
        if cell.cell_type == "code":
            run = "skip-execution" not in cell.metadata.get("tags", [])
            count += run
            cell.execution_count = count if run else None
            cell.outputs = (
                joined(clean(output, count) for output in cell.outputs if wanted(output))
                if run
                else []
            )
    notebook.metadata = METADATA
    notebook.nbformat = 4
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def wanted(output) -> bool:
    return output.get("name") != "stderr" and WIDGET_VIEW not in output.get("data", {})


def joined(outputs) -> list:
    """Join neighbouring pieces of printed text: where they are split depends on timing."""
    result = []
    for output in outputs:
        if output.output_type == "stream" and result and result[-1].output_type == "stream":
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def clean(output, count: int):
    if "image/png" in output.get("data", {}):
        output.data["image/png"] = packed(output.data["image/png"])
    descriptions = {
        kind: {"alt": about["alt"]}
        for kind, about in output.pop("metadata", {}).items()
        if "alt" in about
    }
    if output.output_type != "stream":
        output.metadata = descriptions
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def packed(png: str) -> str:
    """Pack the same picture into fewer bytes: no alpha channel, which is opaque, and the best compression.

    A chart, told by its few colours, gets a palette of 256 of them; photographs keep every pixel as it is.
    """
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    stream = io.BytesIO()
    if image.getcolors(CHART_COLOURS):
        image = image.quantize(256, dither=Image.Dither.NONE)
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


if __name__ == "__main__":
    main()
