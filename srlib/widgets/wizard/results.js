/** The results of this visit: look at them again, and download them. */

const SUFFIXES = { PNG: ".png", JPEG: ".jpg", TIFF: ".tif" };

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el, signal);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const title = make("p", { class: "srlib-title" }, "Made during this visit");
  const list = make("div", { class: "srlib-made", role: "group", "aria-label": "Results of this visit" });
  const kinds = Object.keys(SUFFIXES).map((kind) => make("option", {}, kind));
  const format = make("select", { "aria-label": "Format" }, ...kinds);
  const one = make("button", { type: "button", class: "srlib-button srlib-primary" });
  const all = make("button", { type: "button", class: "srlib-button" });
  const sentence = make("p", { role: "status" });
  const root = make("div", { class: "srlib-results srlib-part" },
    make("div", { class: "srlib-buttons" }, one, format, all), sentence, gone, title, list);
  el.append(root);

  function showName() {
    one.textContent = `Download ${model.get("items")[model.get("selected")]?.name ?? ""}${SUFFIXES[format.value]}`;
  }
  on(format, "change", showName);
  follow(model, signal, ["items", "selected", "together"], () => {
    const [items, selected, together] = ["items", "selected", "together"].map((name) => model.get(name));
    root.hidden = selected < 0;
    title.hidden = list.hidden = items.length < 2;
    all.hidden = together < 2;
    all.textContent = `Download these ${together} as a zip`;
    showName();
    list.replaceChildren(...items.map(({ title, text, thumbnail }, index) => {
      const button = make("button", { type: "button", "aria-pressed": `${index === selected}` },
        make("img", { src: thumbnail, alt: "" }),
        make("span", { class: "srlib-name" }, make("b", {}, title), make("span", {}, text)));
      on(button, "click", () => send({ type: "show", index }));
      return button;
    }));
  });
  follow(model, signal, ["sentence"], () => (sentence.textContent = model.get("sentence")));

  // A file arrives in pieces, each one on request, at the view that requested it.
  const pieces = [];
  let ticket = "";
  function download(what) {
    ticket = uniqueId();
    pieces.length = 0;
    send({ type: "download", what, kind: format.value, start: 0, ticket });
  }
  on(one, "click", () => download("one"));
  on(all, "click", () => download("all"));
  listen(model, signal, "msg:custom", (message, [piece]) => {
    if (message.ticket !== ticket) return;
    pieces.push(piece);
    if (message.next < message.size) {
      send({ type: "download", start: message.next, ticket });
      return;
    }
    const link = make("a", { href: URL.createObjectURL(new Blob(pieces.splice(0))), download: message.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be copying it
  });
}
