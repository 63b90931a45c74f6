/** What lies below the pictures: the bar of buttons, what is under the pointer, and the list of keys. */

const MODES = ["divider", "flicker", "side-by-side"];
const HINT = "Click the picture, then scroll to zoom and drag to move.";
const KEYS = [
  ["+ −", "zoom in, zoom out"],
  ["0 Z", "the whole picture; one pixel of it on one pixel of the screen"],
  ["← → ↑ ↓", "move the picture, with Shift by one pixel of it; on the divider, move that"],
  ["M", "divider, flicker, side by side"],
  ["1 2 3 4", "show this picture; beside a divider on its right, with Shift on its left"],
  ["Space P", "in flicker: the next picture; stop and go on"],
  ["L", "the magnifier"],
  ["F", "full screen"],
  ["?", "this list"],
];

/** A button that shows `text`, is called `name`, and says in its tip which key does the same. */
function button(text, name, key, onclick) {
  const node = make("button", { class: "srlib-compare-button", type: "button", title: `${name} (${key})` }, text);
  if (name !== text) node.setAttribute("aria-label", name);
  node.onclick = onclick;
  return node;
}

/** The bar, and its part for zooming; `act` has a function for each thing that it can do.  `show` makes it say how things are. */
function makeBar(act) {
  const group = uniqueId();
  const radios = Object.fromEntries(
    MODES.map((mode) => {
      const text = mode[0].toUpperCase() + mode.slice(1).replaceAll("-", " ");
      const radio = make("input", { type: "radio", name: group, value: mode });
      radio.onchange = () => act.setMode(mode);
      return [mode, { radio, node: make("label", { class: "srlib-compare-mode" }, radio, make("span", {}, text)) }];
    }),
  );
  const modes = make("div", { class: "srlib-compare-modes", role: "radiogroup", "aria-label": "How to compare" });
  modes.append(...Object.values(radios).map(({ node }) => node));
  const choices = ["Left", "Right"].map((side, n) => {
    const select = make("select", { class: "srlib-compare-choice" });
    select.onchange = () => act.choose(n, select.selectedIndex);
    return { select, node: make("label", { class: "srlib-compare-chooser" }, side, select) };
  });
  const play = button("", "Stop", "P", act.togglePlaying);
  const magnification = make("output", { class: "srlib-compare-magnification", "aria-label": "Magnification" });
  const loupe = button("Magnifier", "Magnifier", "L", act.toggleLoupe);
  const full = button("Full screen", "Full screen", "F", act.toggleFullScreen);
  const help = button("Keys", "Keys", "?", act.toggleHelp);
  full.hidden = !document.fullscreenEnabled;
  const zoom = make("div", { class: "srlib-compare-zoom", role: "group", "aria-label": "Zoom" });
  zoom.append(
    button("−", "Zoom out", "−", act.zoomOut),
    magnification,
    button("+", "Zoom in", "+", act.zoomIn),
    button("Fit", "Fit", "0 or double click", act.reset),
    button("1:1", "True size, 1:1", "Z", act.trueSize),
  );
  const sides = make("div", { class: "srlib-compare-sides" }, ...choices.map(({ node }) => node));
  const node = make("div", { class: "srlib-compare-bar" }, modes, sides, play, zoom, loupe, full, help);

  function show(state) {
    const { mode, labels, pair, playing } = state;
    for (const [name, { radio }] of Object.entries(radios)) radio.checked = name === mode;
    sides.hidden = mode !== "divider" || labels.length < 3;
    choices.forEach(({ select }, n) => {
      if ([...select.options].map((option) => option.text).join("\n") !== labels.join("\n"))
        select.replaceChildren(...labels.map((label) => new Option(label)));
      select.selectedIndex = pair[n];
    });
    play.hidden = mode !== "flicker";
    play.textContent = playing ? "Stop" : "Play";
    play.setAttribute("aria-label", playing ? "Stop the flicker" : "Play the flicker");
    magnification.textContent = state.percent;
    loupe.setAttribute("aria-pressed", state.loupe);
    full.setAttribute("aria-pressed", state.full);
    help.setAttribute("aria-expanded", state.help);
  }
  return { node, zoom, show };
}

/** A line for the position, and a chip for each picture: its name, its colour under the pointer, its PSNR. */
function makeReadings() {
  const where = make("span", { class: "srlib-compare-where" }, HINT);
  const chips = make("ul", { class: "srlib-compare-chips", "aria-label": "Pictures" });
  const node = make("div", { class: "srlib-compare-readings" }, chips, where);

  function show({ labels, position, values, scores }) {
    where.textContent = position ? `x ${position[0]}, y ${position[1]}` : HINT;
    while (chips.children.length > labels.length) chips.lastChild.remove();
    while (chips.children.length < labels.length) {
      const parts = ["name", "psnr", "swatch", "value"].map((part) => make("span", { class: `srlib-compare-${part}` }));
      parts[2].setAttribute("aria-hidden", "true");
      chips.append(make("li", { class: "srlib-compare-chip" }, ...parts));
    }
    labels.forEach((label, n) => {
      const [name, psnr, swatch, value] = chips.children[n].children;
      const seen = values?.[n];
      name.textContent = label;
      swatch.style.background = seen ? `rgb(${seen.rgb.join(" ")})` : "";
      swatch.style.visibility = seen ? "" : "hidden";
      value.textContent = seen ? `${seen.exact ? "" : "≈ "}${seen.rgb.join(" ")}` : "";
      psnr.textContent = scores?.[n] ?? "";
    });
  }
  return { node, show };
}

function makeHelp() {
  const rows = KEYS.map(([keys, what]) => {
    const caps = keys.split(" ").flatMap((key) => [make("kbd", {}, key), " "]);
    return make("tr", {}, make("th", { scope: "row" }, ...caps), make("td", {}, what));
  });
  const node = make("table", { class: "srlib-compare-help", "aria-label": "Keys" }, make("tbody", {}, ...rows));
  node.hidden = true;
  return node;
}
