/** The choices that few people need, and two questions about the result. */

const SUFFIXES = { PNG: ".png", JPEG: ".jpg", TIFF: ".tif" };

function makeMore({ model, signal, on, send }) {
  const pixels = make("input", { type: "number", min: "1", step: "1", inputmode: "numeric" });
  const network = make("select", {});
  const best = make("input", { type: "checkbox" });
  const format = make("select", {}, ...Object.keys(SUFFIXES).map((kind) => make("option", {}, kind)));
  const metadata = make("input", { type: "checkbox", checked: true });
  const remove = make("button", { type: "button", class: "srlib-button" }, "Remove this photo");
  const close = make("button", { type: "button", class: "srlib-button" }, "Close");
  const range = make("span", {});
  const row = (text, field, after = "") => make("label", {}, make("span", {}, text), make("span", {}, field, after));
  const check = (text, field) => make("label", { class: "srlib-check" }, field, text);
  const panel = make("div", { class: "srlib-more", role: "dialog", "aria-label": "More choices", hidden: true },
    row("Made for", network),
    row("Longer side", pixels, range),
    check("Best quality: eight times slower", best),
    row("Save as", format),
    check("Keep the camera’s data (place, time, settings)", metadata),
    make("div", { class: "srlib-buttons" }, remove, close));
  const button = make("button", { type: "button", class: "srlib-button", "aria-expanded": "false", "aria-haspopup": "dialog" }, "More");

  function show(open, focus) {
    if (panel.contains(document.activeElement)) document.activeElement.blur(); // what was typed counts
    panel.hidden = !open;
    button.setAttribute("aria-expanded", `${open}`);
    focus?.focus();
  }
  const open = () => show(true, network);
  on(button, "click", () => show(panel.hidden, panel.hidden ? network : null));
  on(close, "click", () => show(false, button));
  on(panel, "keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    show(false, button);
  });
  on(document, "pointerdown", ({ target }) => {
    if (!panel.hidden && !panel.contains(target) && !button.contains(target)) show(false);
  });

  const choose = (choice) => send({ type: "choose", ...choice });
  // Without a number 1, which is too small: the kernel refuses that with the limits, as it does any other wrong size.
  on(pixels, "change", () => choose({ scale: 0, longer_side: Math.round(pixels.valueAsNumber) || 1 }));
  on(network, "change", () => choose({ model: network.value }));
  on(best, "change", () => choose({ best: best.checked }));
  on(remove, "click", () => {
    send({ type: "remove" });
    show(false, button);
  });
  follow(model, signal, ["networks"], () => {
    network.replaceChildren(...model.get("networks").map(({ name, title }) => make("option", { value: name }, title)));
    network.value = model.get("chosen").model;
  });
  follow(model, signal, ["chosen"], () => {
    const { lengths: [shortest, longest], longer_side: longerSide, model: name, best: isBest } = model.get("chosen");
    [pixels.min, pixels.max] = [shortest, longest];
    range.textContent = `${shortest} to ${longest} pixels`;
    if (document.activeElement !== pixels) pixels.value = longerSide; // never corrected while the visitor types
    network.value = name;
    best.checked = isBest;
  });
  follow(model, signal, ["landing"], () => (remove.hidden = model.get("landing")));
  return { panel, button, open, wanted: () => ({ kind: format.value, metadata: metadata.checked }) };
}

/** Questions about the result: what in it is invented, where is it unsure, and how close does the network come? */
function makeHonesty({ model, signal, on, send }) {
  const chip = (text) => make("button", { type: "button", class: "srlib-chip" }, text);
  const invented = chip("Show what was invented");
  const unsure = chip("");
  const check = chip("Test on this photo");
  invented.title = "A map of where the result differs from ordinary enlargement";
  check.title = "Shrink the photo, enlarge it again, and compare it with the original. The course does this by PSNR.";
  const toggle = (kind) => send({ type: "map", kind: model.get("map") === kind ? "" : kind });
  on(invented, "click", () => toggle("invented"));
  on(unsure, "click", () => (model.get("asking") ? send({ type: "map", kind: model.get("map") }) : toggle("unsure")));
  on(check, "click", () => send({ type: "check" }));
  const node = make("div", { class: "srlib-honesty srlib-part" }, invented, check, unsure);
  follow(model, signal, ["map", "asking", "landing"], () => {
    const map = model.get("map");
    const asking = model.get("asking");
    node.hidden = model.get("landing");
    invented.setAttribute("aria-pressed", `${map === "invented"}`);
    unsure.setAttribute("aria-pressed", `${map === "unsure"}`);
    unsure.textContent = asking ? "Cancel" : "Where it is unsure";
    unsure.hidden = !map;
  });
  return node;
}
