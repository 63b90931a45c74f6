"""A page with one widget and no notebook around it: its JavaScript runs in Chromium, its Python end here in the test.

Far quicker than JupyterLab, and the place to look at details; what a notebook may do to a widget is tested in Lab.
"""

from __future__ import annotations

import base64
from contextlib import contextmanager

from browser.labpage import PATIENCE

PAGE = """<!DOCTYPE html><html lang="en"><title>A widget</title><meta name="viewport" content="width=device-width">
<body style="margin: 8px"><main><h1 style="font-size: 14px">A widget</h1><div id="widget"></div></main></body></html>"""
MODEL = """async ({ code, css, state }) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const revive = (value) =>
    Array.isArray(value) ? value.map(revive) : value?.base64 !== undefined ? bytes(value.base64) : value;
  const listeners = new Map();
  const fire = (event, ...args) => (listeners.get(event) ?? []).forEach((handler) => handler(...args));
  const values = {};
  let changed = {};
  const take = ({ state, sent }) => {
    const names = Object.keys(state).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(values[name]));
    names.forEach((name) => (values[name] = revive(state[name])));
    names.forEach((name) => fire(`change:${name}`));
    sent.forEach(([content, buffers]) => fire("msg:custom", content, revive(buffers)));
  };
  const model = {
    get: (name) => values[name],
    set(name, value) {
      values[name] = changed[name] = value;
      fire(`change:${name}`);
    },
    async save_changes() {
      const state = changed;
      changed = {};
      await window.toKernel({ state });
    },
    async send(content) { take(await window.toKernel({ content })); },
    on: (event, handler) => listeners.set(event, [...(listeners.get(event) ?? []), handler]),
    off: (event, handler) => listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== handler)),
  };
  take({ state, sent: [] });
  window.fromKernel = take;
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const stop = new AbortController();
  const el = document.querySelector("#widget");
  const clean = await module.default.render({ model, el, signal: stop.signal });
  window.closeWidget = () => { stop.abort(); clean?.(); el.replaceChildren(); };
}"""


class Bench:
    """`page` shows `widget`; `asked` lists the messages that the page has sent."""

    def __init__(self, page, widget):
        self.page = page
        self.widget = widget
        self.asked: list[dict] = []
        self._sent: list[tuple] = []
        self.errors: list[str] = []
        widget.send = lambda content, buffers=(): self._sent.append((content, list(buffers)))

    def push(self) -> None:
        """Tell the page what has changed in the widget."""
        self.page.evaluate("(news) => window.fromKernel(news)", {"state": self.state(), "sent": []})

    def state(self) -> dict:
        return _packed(
            {
                name: value
                for name, value in self.widget.get_state().items()
                if not name.startswith("_")
            }
        )

    def _to_kernel(self, message: dict) -> dict:
        for name, value in message.get("state", {}).items():
            self.widget.set_trait(name, tuple(value) if isinstance(value, list) else value)
        if "content" in message:
            self.asked.append(message["content"])
            self.widget._handle_custom_msg(message["content"], [])
        sent = self._sent
        self._sent = []
        return {"state": {}, "sent": _packed(sent)}


@contextmanager
def bench(browser, widget, **context):
    """A Bench in a browser context of its own; at the end, an error in the page is an error of the test."""
    with browser.new_context(
        **{"viewport": {"width": 1000, "height": 900}} | context
    ) as own_context:
        page = own_context.new_page()
        page.set_default_timeout(PATIENCE)
        page.set_content(PAGE)
        shown = Bench(page, widget)
        page.on("pageerror", lambda error: shown.errors.append(str(error)))
        page.expose_function("toKernel", shown._to_kernel)
        page.evaluate(
            MODEL, {"code": str(widget._esm), "css": str(widget._css), "state": shown.state()}
        )
        yield shown
        assert shown.errors == []


def _packed(value):
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: _packed(item) for name, item in value.items()}
    return [_packed(item) for item in value] if isinstance(value, list | tuple) else value
