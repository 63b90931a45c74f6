"""Maps of numbers, and the network as a chain of layers (lessons 01, 03 and 05)."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from srlib.model.edsr import EDSRConfig
from srlib.plots.figures import new_figure, panels

_FILL = {
    "picture": "white",
    "mean": "#d9d9d9",
    "conv": "#a6cee3",
    "block": "#dbe9f4",
    "shuffle": "#b2df8a",
}


def show_maps(
    maps: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    limits: tuple[float, float] | None = None,
    colours: str = "RdBu_r",
    unit: str = "",
    number_format: str = "",
    box: tuple[float, float, float, float] | None = None,
    columns: int | None = None,
    width: float = 8,
) -> Figure:
    """Show maps of numbers and pictures side by side, a coloured square for each value.

    Args:
        maps: Arrays of numbers (H, W), drawn in colours, and pictures, uint8 (H, W, 3).
        titles: One for each.
        limits: Values of the first and the last colour. None takes plus and minus the 98th
            percentile of each map's magnitudes.
        colours: A colormap of matplotlib: "RdBu_r" for values of both signs, "magma" for
            magnitudes, "gray".
        unit: Label of a colour bar, drawn if there are limits.
        number_format: A format such as ".2f", to write each value into its square.
        box: (left, top, width, height) in pixels, drawn in each panel.
        columns: Panels in a row; by default all.
        width: Inches.

    Example:
        >>> show_maps([np.eye(3)], ["identity"], number_format=".0f")
        Maps side by side: identity.
    """
    columns = columns or len(maps)
    ratio = max(values.shape[0] / values.shape[1] for values in maps)
    alt = f"Maps side by side: {'; '.join(titles)}."
    figure, axes = panels(titles, ratio=ratio, columns=columns, width=width, alt=alt)
    # Steps are easier to read beside a colour bar, and the file is a tenth as large.
    scale = matplotlib.colormaps[colours].resampled(20) if unit else colours
    scaled = None
    for axis, values in zip(axes.flat, maps, strict=False):
        if values.ndim == 3:
            axis.imshow(values, interpolation="nearest")
        else:
            top = float(np.quantile(np.abs(values), 0.98)) or 1.0
            low, high = limits or (-top, top)
            look = {"cmap": scale, "interpolation": "nearest"}
            scaled = axis.imshow(values, vmin=low, vmax=high, **look)
            if number_format:
                _write_numbers(axis, values, number_format)
        if box:
            corner = (box[0] - 0.5, box[1] - 0.5)  # pixel 0 begins at -0.5
            axis.add_patch(Rectangle(corner, *box[2:], fill=False, edgecolor="#d55e00", lw=1.5))
    if unit and limits and scaled:
        extend = "both" if limits[0] < 0 else "max"
        figure.colorbar(scaled, ax=axes, label=unit, fraction=0.05, extend=extend)
    return figure


def _write_numbers(axis: Axes, values: np.ndarray, number_format: str) -> None:
    """Write the values into their squares, black on a pale one and white on a dark one."""
    (drawn,) = axis.images
    colours = drawn.cmap(drawn.norm(values))[..., :3]
    for (y, x), value in np.ndenumerate(values):
        ink = "black" if colours[y, x].mean() > 0.5 else "white"
        axis.text(x, y, f"{value:{number_format}}", ha="center", va="center", fontsize=7, color=ink)


def network_chain(config: EDSRConfig, height: int, width: int) -> Figure:
    """Draw an EDSR as a chain of its layers, with the shape after each; LR is height x width."""
    n_feats = config.n_feats
    shape = f"{n_feats} x {height} x {width}"
    picture = f"3 x {height} x {width}"
    parts = [
        ("LR", picture, "picture"),
        ("- mean", picture, "mean"),
        (f"conv\n3 to {n_feats}", shape, "conv"),
        ("block 1", shape, "block"),
        ("…", "", "picture"),
        (f"block {config.n_resblocks}", shape, "block"),
        ("conv", shape, "conv"),
        ("+", shape, "picture"),
    ]
    for factor in [2, 2] if config.scale == 4 else [config.scale]:
        wide = factor**2 * n_feats
        parts.append((f"conv\n{n_feats} to {wide}", f"{wide} x {height} x {width}", "conv"))
        height *= factor
        width *= factor
        parts.append((f"shuffle\nby {factor}", f"{n_feats} x {height} x {width}", "shuffle"))
    picture = f"3 x {height} x {width}"
    parts += [
        (f"conv\n{n_feats} to 3", picture, "conv"),
        ("+ mean", picture, "mean"),
        ("SR", picture, "picture"),
    ]
    names = ", ".join(name.replace("\n", " ") for name, _, _ in parts)
    figure, ((axis,),) = new_figure(10, 1.6, alt=f"The layers of EDSR in a chain: {names}.")
    for place, (name, behind, kind) in enumerate(parts):
        look = {"facecolor": _FILL[kind], "edgecolor": "0.3"}
        box = FancyBboxPatch((place - 0.4, -0.3), 0.8, 0.6, "round,pad=0,rounding_size=.08", **look)
        axis.add_patch(box)
        axis.text(place, 0, name, ha="center", va="center", fontsize=7)
        axis.text(place, -0.4, behind, ha="center", va="top", fontsize=5.5)
        if place:
            arrow = {"arrowstyle": "-|>", "lw": 0.8, "shrinkA": 0, "shrinkB": 0}
            axis.annotate("", (place - 0.4, 0), (place - 0.6, 0), arrowprops=arrow)
    axis.plot([2.5, 2.5, 7, 7], [0, 0.6, 0.6, 0.3], color="#d55e00", lw=1)
    for name, first, last in (("head", 2, 2), ("body", 3, 7), ("tail", 8, len(parts) - 3)):
        axis.text((first + last) / 2, -0.9, name, ha="center", weight="bold", fontsize=9)
    axis.set(xlim=(-0.6, len(parts) - 0.4), ylim=(-1.05, 0.75))
    axis.set_axis_off()
    return figure
