"""Write docs/command_line.md: the help of every command, as click prints it.

python tools/command_line_page.py
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from srlib.cli import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "command_line.md"
START = """# The command line

```sh
image-wizard photo.jpg                       # writes photo_x4.png and says which network, and why
image-wizard --scale 2 --format jpg photos   # a folder, into photos_x2; run it again: it goes on
image-wizard --width 3840 "trip/*.jpg" --output large
curl … | image-wizard - | display            # standard input and output
image-wizard *.jpg --json > results.json     # for scripts; without a terminal, only errors are shown
```

After `make course` the command is `.venv/bin/image-wizard`. If a file has the same name as a command, write `./check`.

From Real-ESRGAN, upscayl-ncnn or waifu2x: `-i -o -s -n -f -h` mean the same here (a `-n` of waifu2x, its level of
noise, is not needed: the network is chosen by the noise). `-t`, `-g` and `-j` are not needed either: tiles, device and
threads follow from the machine. `-m`, `-r`, `-z`, `--outscale`, `--size` and `--ext` end in a message that names our
equivalent. A folder given by `-o` is made, and no file is replaced unasked.

This page is made from the commands' own help by `tools/command_line_page.py`.
"""


def page() -> str:
    """The text of the page."""
    parts = [START, _section("image-wizard", ["--help"])]
    for name, command in main.commands.items():
        if not command.hidden:
            parts.append(_section(f"image-wizard {name}", [name, "--help"]))
    return "\n".join(parts)


def _section(title: str, arguments: list[str]) -> str:
    done = CliRunner().invoke(
        main, arguments, prog_name="image-wizard", terminal_width=90, max_content_width=90
    )
    return f"## {title}\n\n```text\n{done.output.strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
