/** The film strip: the photographs, each with its state. */

const STATES = { new: "", waiting: "waiting", working: "being enlarged", made: "done", failed: "did not work" };
const SIGNS = { waiting: "…", made: "✓", failed: "!" };

function makeStrip({ model, signal, on, send }, choose) {
  const add = make("button", { type: "button", class: "srlib-add", "aria-label": "Add photos", title: "Add photos" }, "+");
  const strip = make("div", { class: "srlib-strip", role: "group", "aria-label": "Photos" });
  on(add, "click", choose);

  function showTile(button, { name, text, thumbnail, state, current }) {
    const [image, factor, badge] = button.children;
    if (image.getAttribute("src") !== thumbnail) image.src = thumbnail;
    factor.textContent = text;
    badge.className = `srlib-badge srlib-${state}`;
    badge.textContent = SIGNS[state] ?? "";
    button.setAttribute("aria-label", [name, text, STATES[state]].filter(Boolean).join(", "));
    button.title = name;
    button.setAttribute("aria-pressed", `${current}`);
  }
  // Tiles stay, and only their content changes: one that is replaced loses the focus.
  follow(model, signal, ["strip"], () => {
    const items = model.get("strip");
    const tiles = [...strip.querySelectorAll(".srlib-tile")];
    tiles.slice(items.length).forEach((tile) => tile.remove());
    items.slice(tiles.length).forEach(() => {
      const tile = make("button", { type: "button", class: "srlib-tile" }, make("img", { alt: "" }),
        make("span", { class: "srlib-factor" }), make("span", {}));
      on(tile, "click", () => send({ type: "pick", index: [...strip.children].indexOf(tile) }));
      on(tile, "keydown", ({ key }) => {
        if (key !== "Delete" && key !== "Backspace") return;
        tile.click();
        send({ type: "remove" });
      });
      strip.insertBefore(tile, add);
      tiles.push(tile);
    });
    items.forEach((item, n) => showTile(tiles[n], item));
    strip.querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  follow(model, signal, ["fraction"], () => strip.style.setProperty("--srlib-done", model.get("fraction") ?? 0));
  strip.append(add);
  return strip;
}
