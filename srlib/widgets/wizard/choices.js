/** The size of the result, and the network. */

function makeChoices({ model, signal, on, send }) {
  const group = uniqueId();
  const scales = make("div", { class: "srlib-scales" });
  const pixels = make("input", { type: "number", min: "1", step: "1", inputmode: "numeric" });
  const target = make("label", { class: "srlib-target" }, pixels, "pixels on the longer side");
  const limits = make("p", { class: "srlib-note srlib-limits" });
  const summary = make("p", { class: "srlib-summary", "aria-live": "polite" });
  const models = make("div", { class: "srlib-models" });
  const note = make("p", { class: "srlib-note" });

  const choose = (choice) => send({ type: "choose", ...choice });
  on(pixels, "input", () => {
    const side = Math.round(Number(pixels.value));
    if (side >= 1) choose({ longer_side: side });
  });
  on(pixels, "blur", showScales);

  /** Radio buttons for some options. They stay while their values stay: one that is replaced loses the focus. */
  function showRadios(parent, name, values, fill) {
    if (parent.dataset.values !== values.join()) {
      parent.dataset.values = values.join();
      parent.replaceChildren(...values.map((value) => {
        const input = make("input", { type: "radio", name: `${name}-${group}`, value: `${value}` });
        on(input, "change", () => choose({ [name]: value }));
        return make("label", {}, input, make("span", { class: "srlib-choice" }));
      }));
    }
    [...parent.children].forEach((label, index) => {
      label.firstChild.checked = values[index] === model.get("chosen")[name];
      fill(label, index);
    });
  }

  function showScales() {
    const offers = model.get("scales");
    showRadios(scales, "scale", offers.map(({ value }) => value), (label, index) => {
      const { text, reason } = offers[index];
      label.lastChild.textContent = text;
      label.firstChild.disabled = Boolean(reason);
      label.title = reason;
    });
    const { scale, longer_side: longerSide } = model.get("chosen");
    target.hidden = scale !== 0;
    if (document.activeElement !== pixels) pixels.value = longerSide; // never corrected while the visitor types
  }

  function showModels() {
    const offers = model.get("models");
    showRadios(models, "model", offers.map(({ name }) => name), (label, index) => {
      const { name, title, cost } = offers[index];
      label.lastChild.replaceChildren(
        make("b", {}, title), make("span", {}, name), make("span", { class: "srlib-cost" }, cost));
    });
  }

  follow(model, signal, ["scales", "chosen"], showScales);
  follow(model, signal, ["models", "chosen"], showModels);
  follow(model, signal, ["limits", "summary", "note"], () => {
    limits.textContent = model.get("limits");
    summary.textContent = model.get("summary");
    note.textContent = model.get("note");
  });
  return make("div", { class: "srlib-choices" },
    make("fieldset", {}, make("legend", {}, "How much larger"), scales, target, limits, summary),
    make("fieldset", {}, make("legend", {}, "What kind of picture"), models, note));
}
