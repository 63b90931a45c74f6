/** The browser's own slider, with its label and the value in words. */

function render({ model, el }) {
  const root = document.createElement("label");
  root.className = "srlib-slider";
  const name = document.createElement("span");
  const input = document.createElement("input");
  const text = document.createElement("output");
  name.className = "srlib-slider-name";
  input.type = "range";
  input.min = 0;
  input.dataset.lmSuppressShortcuts = "true"; // or JupyterLab deletes the cell on "d d"
  text.setAttribute("aria-hidden", "true"); // aria-valuetext says it
  root.append(name, input, text);
  el.append(root);

  function showValue() {
    text.textContent = model.get("texts")[input.value];
    input.setAttribute("aria-valuetext", text.textContent);
  }
  function show() {
    name.textContent = model.get("label");
    input.max = model.get("texts").length - 1;
    input.value = model.get("index");
    input.setAttribute("aria-label", name.textContent);
    showValue();
  }
  function choose() {
    model.set("index", input.valueAsNumber);
    model.save_changes();
  }

  input.addEventListener("input", showValue);
  input.addEventListener("change", choose); // when the slider is let go: what follows may take a while
  const listened = ["change:index", "change:texts", "change:label"];
  for (const event of listened) model.on(event, show);
  show();
  return () => listened.forEach((event) => model.off(event, show));
}

export default { render };
