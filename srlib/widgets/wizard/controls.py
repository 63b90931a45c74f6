"""What the wizard asks for, and the button that starts it."""

from __future__ import annotations

import traitlets

from srlib.widgets.wizard.part import Part, script


class Choices(Part):
    """How much larger, and by which network.  The page asks for another choice by a message; `chosen` is what holds."""

    _esm = script("choices.js")
    scales = traitlets.List(traitlets.Int()).tag(sync=True)
    chosen = traitlets.Dict(help="scale (0: to longer_side), longer_side (pixels), model").tag(
        sync=True
    )
    summary = traitlets.Unicode("", help="The sizes before and after").tag(sync=True)
    models = traitlets.List(help="Those on offer: name, title, cost").tag(sync=True)
    note = traitlets.Unicode("", help="A line below the models").tag(sync=True)


class JobLine(Part):
    """The start button and the state of the work.  Traits may be set from the thread that works."""

    _esm = script("job.js")
    label = traitlets.Unicode("Enlarge", help="On the button").tag(sync=True)
    ready = traitlets.Bool(False, help="There is something to start").tag(sync=True)
    busy = traitlets.Bool(False, help="Shows the bar and Cancel").tag(sync=True)
    done = traitlets.Float(None, allow_none=True, help="0 to 1; None while nobody knows").tag(
        sync=True
    )
    sentence = traitlets.Unicode("", help="Read out by screen readers when it changes").tag(
        sync=True
    )
    privacy = traitlets.Unicode("").tag(sync=True)
