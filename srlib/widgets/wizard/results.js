/** What was made during this visit: look at it again, and download it. */

const SUFFIXES = { PNG: ".png", JPEG: ".jpg", TIFF: ".tif" };

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const title = make("p", { class: "srlib-title" }, "Made during this visit");
  const list = make("div", { class: "srlib-made", role: "group", "aria-label": "Results of this visit" });
  const format = make("select", { "aria-label": "Format" }, ...Object.keys(SUFFIXES).map((kind) => make("option", {}, kind)));
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
  follow(model, ["items", "selected"], () => {
    const [items, selected] = [model.get("items"), model.get("selected")];
    root.hidden = items.length === 0;
    title.hidden = list.hidden = items.length < 2 && selected >= 0;
    one.hidden = selected < 0;
    format.hidden = one.hidden && items.length < 2;
    all.hidden = items.length < 2;
    all.textContent = `Download all ${items.length} as a zip`;
    showName();
    list.replaceChildren(...items.map(({ name, text, thumbnail }, index) => {
      const button = make("button", { type: "button", "aria-pressed": `${index === selected}`, title: name },
        make("img", { src: thumbnail, alt: "" }), make("span", { class: "srlib-name" }, make("b", {}, name), make("span", {}, text)));
      on(button, "click", () => send({ type: "show", index }));
      return button;
    }));
  });
  follow(model, ["sentence"], () => {
    sentence.textContent = model.get("sentence");
  });

  // A file is sent in pieces, each when it is asked for, to the view that asked.
  const pieces = [];
  let asked = "";
  function ask(what) {
    asked = crypto.randomUUID();
    pieces.length = 0;
    send({ type: "download", what, kind: format.value, start: 0, ticket: asked });
  }
  on(one, "click", () => ask("one"));
  on(all, "click", () => ask("all"));
  model.on("msg:custom", (message, [piece]) => {
    if (message.ticket !== asked) return;
    pieces.push(piece);
    if (message.next < message.size) {
      send({ type: "download", start: message.next, ticket: asked });
      return;
    }
    const link = make("a", { href: URL.createObjectURL(new Blob(pieces.splice(0))), download: message.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be copying it
  });
}

export default { render };
