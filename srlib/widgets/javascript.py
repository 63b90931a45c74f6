"""The JavaScript of a widget, joined from its files."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def javascript(*names: str) -> str:
    """Join script files into the one ES module that anywidget asks for.

    The files are plain scripts that share one scope: no imports, no exports, and no name twice.
    The last of them defines `render`.

    Args:
        names: Paths below this folder, in order. dom.js always comes first.

    Returns:
        The text of the module.
    """
    scripts = [(_HERE / name).read_text(encoding="utf-8") for name in ("dom.js", *names)]
    return "\n".join([*scripts, "export default { render };\n"])
