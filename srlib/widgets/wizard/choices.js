/** How much larger, and by which network. */

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const group = crypto.randomUUID();

  function radio(kind, value, checked, ...content) {
    const input = make("input", { type: "radio", name: `${kind}-${group}`, value: `${value}`, checked });
    on(input, "change", () => set(kind, value));
    return make("label", {}, input, make("span", { class: "srlib-choice" }, ...content));
  }
  const set = (name, value) => send({ type: "choose", [name]: value });

  const scales = make("div", { class: "srlib-scales" });
  const pixels = make("input", { type: "number", min: "1", step: "1", inputmode: "numeric" });
  const target = make("label", { class: "srlib-target" }, pixels, "pixels on the longer side");
  const summary = make("p", { class: "srlib-summary", "aria-live": "polite" });
  const models = make("div", { class: "srlib-models" });
  const note = make("p", { class: "srlib-note" });
  el.append(make("div", { class: "srlib-choices srlib-part" },
    make("fieldset", {}, make("legend", {}, "How much larger"), scales, target, summary),
    make("fieldset", {}, make("legend", {}, "What kind of picture"), models, note), gone));
  on(pixels, "input", () => {
    const side = Math.round(Number(pixels.value));
    if (side >= 1) set("longer_side", side);
  });
  on(pixels, "blur", showScales);

  function showScales() {
    const { scale: chosen, longer_side: longerSide } = model.get("chosen");
    const offers = [...model.get("scales").map((scale) => [scale, `${scale}×`]), [0, "To a size"]];
    if (scales.children.length !== offers.length) {
      scales.replaceChildren(...offers.map(([value, text]) => radio("scale", value, value === chosen, text)));
    }
    for (const input of scales.querySelectorAll("input")) input.checked = Number(input.value) === chosen;
    target.hidden = chosen !== 0;
    if (document.activeElement !== pixels) pixels.value = longerSide; // nobody likes to be corrected while typing
  }

  // Kept while only their times change: a radio button that is replaced loses the focus.
  let shown = "";
  function showModels() {
    const offers = model.get("models");
    const chosen = model.get("chosen").model;
    const names = offers.map(({ name }) => name).join();
    if (names !== shown) {
      models.replaceChildren(...offers.map(({ name, title }) =>
        radio("model", name, name === chosen, make("b", {}, title), make("span", {}, name), make("span", { class: "srlib-cost" }))));
      shown = names;
    }
    for (const [index, label] of [...models.children].entries()) {
      label.querySelector("input").checked = offers[index].name === chosen;
      label.querySelector(".srlib-cost").textContent = offers[index].cost;
    }
  }

  follow(model, ["scales", "chosen"], showScales);
  follow(model, ["models", "chosen"], showModels);
  follow(model, ["summary", "note"], () => {
    summary.textContent = model.get("summary");
    note.textContent = model.get("note");
  });
}

export default { render };
