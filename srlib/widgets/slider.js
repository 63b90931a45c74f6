/** The browser's own slider, with its label and the value in words. */

function render({ model, el, signal }) {
  const name = make("span", { class: "srlib-slider-name" });
  const input = make("input", { type: "range", min: "0" });
  const text = make("output", { "aria-hidden": "true" }); // aria-valuetext says it
  el.append(make("label", { class: "srlib-slider" }, name, input, text));

  function showValue() {
    text.textContent = model.get("texts")[input.value];
    input.setAttribute("aria-valuetext", text.textContent);
  }
  input.addEventListener("input", showValue);
  input.addEventListener("change", () => { // when the slider is released: the work that follows may take a while
    model.set("index", input.valueAsNumber);
    model.save_changes();
  });
  follow(model, signal, ["index", "texts", "label"], () => {
    name.textContent = model.get("label");
    input.max = model.get("texts").length - 1;
    input.value = model.get("index");
    input.setAttribute("aria-label", name.textContent);
    showValue();
  });
}
