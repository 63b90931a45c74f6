"""The Image Wizard: from a small photograph to a large one in three choices (notebook 00)."""

from __future__ import annotations

import base64
import html
import math
import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

import ipywidgets
import numpy as np
from PIL import Image

from srlib import zoo
from srlib.images import Picture, encode, from_pil, read_image
from srlib.resize import imresize
from srlib.upscale import upscale
from srlib.widgets.compare import CompareSlider
from srlib.widgets.job import JobLine
from srlib.widgets.upload import Upload

MAX_RESULT_PIXELS = 50_000_000  # both pictures of the comparison travel to the browser and are decoded there
_THUMBNAIL = 240  # pixels of the longer side
_PRIVACY = "Nothing leaves this machine: the photograph and the network stay where this notebook runs."


class Cancelled(Exception):
    """The job was stopped by Cancel."""


@dataclass(frozen=True)
class Enlargement:
    """What a job has made: bicubic and super-resolved pictures of one size, and a name for the file of the latter."""

    bicubic: Picture
    sr: Picture
    labels: tuple[str, str]
    file_name: str


class ImageWizard:
    """Choose a photograph, a scale and a model; watch the work; compare with bicubic; download.

    Without a browser the same steps are `open`, `choose`, `start` and `wait`.  Work is done in a thread of its own, one job
    at a time, so that Cancel is heard meanwhile.  Only models that are on this machine are offered.
    """

    def __init__(self, samples: Mapping[str, str | os.PathLike] | None = None):
        """samples: what to call each sample photograph, and its file; the first one is open at the start."""
        self.result: Enlargement | None = None
        self.picture: Picture | None = None
        self._name = ""
        self._future: Future | None = None
        self._cancel_asked = threading.Event()
        on_disk = [checkpoint for checkpoint in zoo.available() if checkpoint.on_disk()]
        self._titles = {(c.scale, c.name): f"{c.name}: {c.title}" for c in on_disk}

        wide = {"width": "min(100% - 4px, 460px)", "margin": "2px"}
        self._samples = list((samples or {}).values())
        self._sample = ipywidgets.Dropdown(
            options=[("(your own)", None), *(samples or {}).items()], description="Sample", layout=wide
        )
        self._upload = Upload(lambda file: self._or_say(self.open, file), self._say, layout=wide)
        scales = sorted({scale for scale, _ in self._titles})
        factors = [(f"{scale} times", scale) for scale in scales]
        self._scale = ipywidgets.Dropdown(options=factors, value=scales[-1], description="Enlarge", layout=wide)
        self._model = ipywidgets.Dropdown(description="Model", layout=wide)
        self._chosen = ipywidgets.HTML()
        self._start = ipywidgets.Button(description="Upscale", icon="magic", button_style="primary")
        self._cancel = ipywidgets.Button(description="Cancel", disabled=True)
        self._job = JobLine(lambda: encode(self.result.sr))
        self._stage = ipywidgets.VBox()
        self._inputs = (self._sample, self._upload, self._scale, self._model, self._start)

        self._sample.observe(self._on_sample, "value")
        self._scale.observe(lambda _: self._offer_models(), "value")
        self._start.on_click(lambda _: self._or_say(self.start))
        self._cancel.on_click(lambda _: self.cancel())
        self._offer_models()

        buttons = ipywidgets.HBox([self._start, self._cancel])
        notes = ipywidgets.HTML(f'<div style="line-height: 1.5; color: var(--jp-ui-font-color2)">{_PRIVACY}</div>')
        choices = [self._sample] * bool(samples) + [self._upload, self._scale, self._model, buttons, notes]
        column = {"flex": "1 1 300px", "min_width": "0", "overflow": "visible"}
        controls = ipywidgets.HBox(
            [ipywidgets.VBox(choices, layout=column), ipywidgets.VBox([self._chosen], layout=column)],
            layout={"flex_flow": "row wrap", "grid_gap": "8px 24px", "overflow": "visible"},
        )
        self.view = ipywidgets.VBox([controls, self._job, self._stage], layout={"overflow": "visible"})
        self.view.add_class("srlib-wizard")
        if samples:
            self._sample.value = self._samples[0]

    def _repr_mimebundle_(self, **kwargs) -> dict:
        return self.view._repr_mimebundle_(**kwargs)

    def open(self, source: str | os.PathLike | BinaryIO) -> None:
        """Take a photograph from a file or binary stream.  Raises FileNotFoundError or ImageError, and keeps the one it had."""
        self._refuse_while_busy()
        picture = read_image(source)
        name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", "photograph")
        self.picture, self._name = picture, Path(name).name
        if source not in self._samples:
            self._sample.value = None
        self._forget_result()
        self._job.sentence = ""
        self._show_chosen()

    def choose(self, *, scale: int | None = None, model: str | None = None) -> None:
        """Set scale and model.  Raises ValueError, naming those there are, for one that is not on this machine."""
        self._refuse_while_busy()
        scale = self._scale.value if scale is None else scale
        model = self._model.value if model is None else model
        if (scale, model) not in self._titles:
            offers = ", ".join(f"{name} x{scale}" for scale, name in self._titles)
            raise ValueError(f"{model} x{scale} is not on this machine; there are {offers}.  Notebook 02 fetches others.")
        self._scale.value, self._model.value = scale, model

    def start(self) -> None:
        """Begin to enlarge, in the background.  Raises ValueError for nothing to do or too much, RuntimeError while busy."""
        self._refuse_while_busy()
        if self.picture is None:
            raise ValueError("Choose a photograph first.")
        height, width = (side * self._scale.value for side in self.picture.size)
        if height * width > MAX_RESULT_PIXELS:
            megapixels, limit = round(height * width / 1e6), round(MAX_RESULT_PIXELS / 1e6)
            advice = "Choose a smaller scale, or a part of the photograph."
            raise ValueError(f"The result would have {megapixels} megapixels; the wizard goes up to {limit}.  {advice}")
        self._forget_result()
        self._cancel_asked.clear()
        self._future = Future()
        self._set_busy(True)
        self._job.sentence, self._job.done = "Loading the model …", 0.0
        job = (self._future, self.picture, self._name, self._scale.value, self._model.value)
        threading.Thread(target=self._work, args=job, daemon=True).start()

    def cancel(self) -> None:
        """Stop after the tile that is being computed; `wait` then raises Cancelled."""
        self._cancel_asked.set()
        self._cancel.disabled = True

    def wait(self, timeout: float | None = None) -> Enlargement:
        """The result, when it is there.  Raises what ended the job otherwise, TimeoutError after `timeout` seconds."""
        if self._future is None:
            raise RuntimeError("Nothing was started.")
        return self._future.result(timeout)

    @property
    def busy(self) -> bool:
        return self._future is not None and not self._future.done()

    @property
    def sentence(self) -> str:
        """What the wizard says below its buttons."""
        return self._job.sentence

    def _work(self, future: Future, *job) -> None:
        """The job's thread.  Whatever happens in it ends in a sentence, and in `future`."""
        try:
            result = self._enlarge(*job)
            self._stage.children = [CompareSlider([result.bicubic, result.sr], result.labels)]
        except Cancelled as stop:
            settle, sentence = partial(future.set_exception, stop), "Cancelled."
        except Exception as error:  # a thread has nobody above it; wait() raises it again
            settle, sentence = partial(future.set_exception, error), f"That did not work: {error}"
        else:
            self.result, self._job.file_name = result, result.file_name
            height, width = result.sr.size
            settle, sentence = partial(future.set_result, result), f"Done: {width} × {height} pixels."
        self._job.done, self._job.sentence = None, sentence
        self._set_busy(False)
        settle()

    def _enlarge(self, picture: Picture, name: str, scale: int, model_name: str) -> Enlargement:
        model = zoo.load_pretrained(model_name, scale)
        began = time.monotonic()

        def on_progress(done: int, total: int) -> None:
            if self._cancel_asked.is_set():
                raise Cancelled
            left = (time.monotonic() - began) / done * (total - done)
            self._job.done, self._job.sentence = done / total, f"Tile {done} of {total}; {_in_words(left)} left."

        self._job.sentence = "Enlarging …"
        sr = upscale(picture, model, on_progress=on_progress)
        self._job.sentence = "Preparing the comparison …"
        bicubic = replace(picture, rgb=imresize(_eight_bit(picture.rgb), scale), alpha=None)
        return Enlargement(bicubic, sr, ("Bicubic", model_name), f"{Path(name).stem}_x{scale}_{model_name}.png")

    def _on_sample(self, change: dict) -> None:
        if change["new"] is not None:
            self._or_say(self.open, change["new"])

    def _say(self, sentence: str) -> None:
        self._job.sentence = sentence

    def _or_say(self, action, *args) -> None:
        """Do what the reader asked for; a refusal becomes the sentence on the page."""
        try:
            action(*args)
        except (ValueError, OSError, RuntimeError) as refusal:
            self._say(str(refusal))

    def _offer_models(self) -> None:
        offers = {name: title for (scale, name), title in self._titles.items() if scale == self._scale.value}
        kept = self._model.value
        self._model.options = [(title, name) for name, title in offers.items()]
        self._model.value = kept if kept in offers else next(iter(offers))
        self._show_chosen()

    def _show_chosen(self) -> None:
        if self.picture is None:
            return
        (height, width), scale, name = self.picture.size, self._scale.value, html.escape(self._name)
        thumbnail = Image.fromarray(_eight_bit(self.picture.rgb))
        thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL))
        source = f"data:image/png;base64,{base64.b64encode(encode(from_pil(thumbnail))).decode()}"
        sizes = f"{width} × {height} pixels, will be {width * scale} × {height * scale}"
        image = f'<img src="{source}" alt="The chosen photograph">'
        self._chosen.value = f'<div style="line-height: 1.5">{image}<br>{name}<br>{sizes}</div>'

    def _forget_result(self) -> None:
        self.result, self._job.file_name = None, ""
        for slider in self._stage.children:
            slider.close()
        self._stage.children = ()

    def _set_busy(self, busy: bool) -> None:
        for control in self._inputs:
            control.disabled = busy
        self._cancel.disabled = not busy

    def _refuse_while_busy(self) -> None:
        if self.busy:
            raise RuntimeError("The wizard is at work; wait for it or cancel.")


def _eight_bit(rgb: np.ndarray) -> np.ndarray:
    return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)


def _in_words(seconds: float) -> str:
    return f"about {math.ceil(seconds)} s" if seconds < 90 else f"about {round(seconds / 60)} min"
