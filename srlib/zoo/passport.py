"""The passport of a weights file: whose layout it has, which EDSR it holds, whether it loads."""

import os
from dataclasses import dataclass, replace
from textwrap import shorten

import torch

from srlib.errors import printable
from srlib.files.download import sha256_of
from srlib.model.edsr import EDSR, EDSRConfig, config_from_state_dict
from srlib.zoo.layouts import PLAIN, SHIFTS, assemble, to_official
from srlib.zoo.reader import read_weights, tensors_sha256

_LONGEST = 400  # letters of PyTorch's answer to weights that do not fit


@dataclass(frozen=True)
class Passport:
    """A description of a weights file.

    Attributes:
        file: Name of the file.
        layout: The program whose key names it has; None if srlib does not know them.
        place: Where in the file the weights are; "" if the file holds nothing else.
        config: The EDSR in it; None if there is none.
        res_scale_from: How its res_scale is known, since weights do not show it.
        parameters: Number of values without the 24 of the mean shifts.
        sha256: Hash of the file's bytes.
        tensors_sha256: Hash of the network as srlib loads it: the same for the same weights in
            another layout or another kind of file.
        problems: Why `load_pretrained` would refuse the file, as sentences; empty if it loads.
    """

    file: str
    layout: str | None
    place: str
    config: EDSRConfig | None
    res_scale_from: str
    parameters: int
    sha256: str
    tensors_sha256: str
    problems: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        rows = [("layout", self.layout or "unknown")]
        if self.place:
            rows.append(("found", self.place))
        if self.config:
            network = (
                f"EDSR x{self.config.scale}, {self.config.n_resblocks} blocks, "
                f"{self.config.n_feats} features, res_scale {self.config.res_scale:g}"
            )
            rows += [("network", network), ("res_scale", self.res_scale_from)]
        rows.append(("parameters", f"{self.parameters:,}"))
        rows.append(("sha256", self.sha256))
        rows.append(("tensors", self.tensors_sha256))
        rows += [("would not load", problem) for problem in self.problems]
        if self.loads:
            rows.append(("loads", "yes, strictly"))
        lines = [self.file, *(f"  {name:<14}  {text}" for name, text in rows)]
        return printable("\n".join(lines))  # a file chooses the names in the problems


def inspect_checkpoint(path: str | os.PathLike) -> Passport:
    """Describe a weights file without running any code in it.

    Args:
        path: A file that safetensors or torch.save wrote.

    Returns:
        Its passport; print it for a readable table.

    Raises:
        WeightsError: The file is missing, damaged, wants to run code, or holds no network.

    Example:
        >>> from srlib.zoo import find
        >>> inspect_checkpoint(find("edsr-lite", 2).path).config
        EDSRConfig(scale=2, n_resblocks=8, n_feats=32, res_scale=1.0)
    """
    passport, _ = open_checkpoint(path)
    return passport


def open_checkpoint(
    path: str | os.PathLike, *, known: EDSRConfig | None = None, res_scale: float | None = None
) -> tuple[Passport, EDSR | None]:
    """Describe a weights file, and make its network, in eval mode, if it has no problems.

    With a known config, by the file's hash, the layout is the official one and nothing is guessed.
    `res_scale` overrides the file's statement and srlib's assumption.
    """
    stored = read_weights(path)
    stated = known or stored.config
    layout = "srlib"
    weights = stored.weights
    if not stated:
        layout, weights = to_official(weights, res_scale)
    source = "given"
    if res_scale is None and stated:
        source = "read from the file's metadata"
        res_scale = stated.res_scale
    elif res_scale is None:
        source = "assumed, since weights do not show it: the authors' choice for this size"
    config = None
    model = None
    problem = ""
    try:
        # By the weights, whose size is known: a network as large as a file may state takes memory.
        config = config_from_state_dict(weights, res_scale=res_scale)
        if stated and replace(stated, res_scale=config.res_scale) != config:
            raise ValueError(f"It should be {stated}, and its weights are those of {config}.")
        model = assemble(weights, config)
    except (ValueError, RuntimeError, IndexError, ZeroDivisionError) as error:
        problem = shorten(str(error), _LONGEST)
    if model:
        generator = torch.Generator("cpu").manual_seed(0)
        extremes = torch.rand(4, 3, 8, 8, generator=generator, **PLAIN).round()
        with torch.inference_mode():
            answer = model(extremes)
        if not answer.isfinite().all():
            problem = (
                "Its values are not finite, or so large that a small picture comes out infinite."
            )
    passport = Passport(
        file=stored.path.name,
        layout=layout if config else None,
        place=stored.place,
        config=config,
        res_scale_from=source,
        parameters=sum(value.numel() for key, value in weights.items() if key not in SHIFTS),
        sha256=sha256_of(stored.path),
        tensors_sha256=tensors_sha256(weights),
        problems=(problem,) if problem else (),
    )
    return passport, model if passport.loads else None
