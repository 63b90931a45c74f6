/** An overview in which a square is moved, and that square of every picture, unsmoothed. */

const MAGNIFICATIONS = [1, 2, 4, 8, 16];
const HINT = "Click the picture, or use the arrow keys on it (with Shift by one pixel), to move the crop; + and − to zoom.";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function make(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function render({ model, el, signal }) {
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });

  // JupyterLab deletes the cell on "d d" unless the very element that has the focus carries this attribute.
  const keyboard = { tabindex: "0", "data-lm-suppress-shortcuts": "true" };
  const hint = make("p", "srlib-crops-hint", { id: `srlib-hint-${crypto.randomUUID()}` });
  hint.textContent = HINT;
  const overview = make("div", "srlib-crops-overview", {
    role: "group", "aria-label": "Overview: where the crop lies", "aria-describedby": hint.id, ...keyboard,
  });
  const whole = make("img", "", { alt: "HR, all of it", draggable: "false" });
  const box = make("div", "srlib-crops-box", { "aria-hidden": "true" });
  overview.append(whole, box);
  const zoom = make("input", "", {
    type: "range", min: 0, max: MAGNIFICATIONS.length - 1, step: 1, "aria-label": "Magnification", ...keyboard,
  });
  const place = make("output", "srlib-crops-place", { "aria-live": "polite" });
  const controls = make("div", "srlib-crops-controls");
  controls.append(zoom, place, hint);
  const left = make("div", "srlib-crops-left");
  left.append(overview, controls);
  const panels = make("div", "srlib-crops-panels");
  const root = make("div", "srlib-crops");
  root.append(left, panels);
  el.append(root);

  let images = [];
  let canvases = [];
  let captions = [];
  let decoding = 0;

  /** The square of HR that is shown, as in crops.py. */
  function crop() {
    const side = Math.min(Math.floor(model.get("panel") / model.get("magnification")), whole.naturalWidth, whole.naturalHeight);
    const [x, y] = model.get("center").map((middle) => middle - Math.floor(side / 2));
    return { side, x: clamp(x, 0, whole.naturalWidth - side), y: clamp(y, 0, whole.naturalHeight - side) };
  }

  async function showPictures() {
    delete root.dataset.ready;
    const mine = ++decoding;
    const labels = model.get("labels");
    const urls = model.get("pictures").map((png) => URL.createObjectURL(new Blob([png], { type: "image/png" })));
    const decoded = urls.map((url) => Object.assign(new Image(), { src: url }));
    whole.src = urls[labels.indexOf("HR")];
    try {
      await Promise.all([whole, ...decoded].map((image) => image.decode()));
    } catch {
      return; // newer pictures have taken their place, or the view is gone
    } finally {
      urls.forEach((url) => URL.revokeObjectURL(url));
    }
    if (mine !== decoding) return;
    images = decoded;
    canvases = labels.map(() => make("canvas", "", { role: "img" }));
    captions = labels.map(() => make("figcaption", ""));
    panels.replaceChildren(...canvases.map((canvas, i) => {
      const figure = make("figure", "");
      figure.append(canvas, captions[i]);
      return figure;
    }));
    showCrop();
    showScores();
    root.dataset.ready = "true";
  }

  function showCrop() {
    if (!images.length) return;
    const { side, x, y } = crop();
    images.forEach((image, i) => {
      const ratio = image.naturalWidth / whole.naturalWidth;
      Object.assign(canvases[i], { width: side, height: side });
      const context = canvases[i].getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(image, x * ratio, y * ratio, side * ratio, side * ratio, 0, 0, side, side);
    });
    const percent = (part, all) => `${(100 * part) / all}%`;
    box.style.left = percent(x, whole.naturalWidth);
    box.style.top = percent(y, whole.naturalHeight);
    box.style.width = percent(side, whole.naturalWidth);
    box.style.height = percent(side, whole.naturalHeight);
    const times = model.get("magnification");
    zoom.value = MAGNIFICATIONS.indexOf(times);
    zoom.setAttribute("aria-valuetext", `${times} times`);
    place.textContent = `${times}×: ${side} × ${side} pixels from ${x}, ${y}`;
  }

  function showScores() {
    const [labels, scores] = [model.get("labels"), model.get("scores")];
    captions.forEach((caption, i) => {
      const name = make("strong", "");
      name.textContent = labels[i];
      caption.replaceChildren(name, document.createElement("br"), scores[i] ?? "");
      canvases[i].setAttribute("aria-label", `Crop of ${labels[i]}: ${scores[i] ?? ""}`);
    });
  }

  let saving = 0;
  function set(name, value) {
    model.set(name, value);
    saving ||= requestAnimationFrame(() => {
      saving = 0;
      model.save_changes();
    });
  }

  function moveTo(x, y) {
    const half = Math.floor(crop().side / 2); // the middle stays where a crop fits, so that no key press is lost beyond
    const within = (value, size) => clamp(Math.round(value), half, Math.max(half, size - crop().side + half));
    set("center", [within(x, whole.naturalWidth), within(y, whole.naturalHeight)]);
  }

  function zoomTo(index) {
    set("magnification", MAGNIFICATIONS[clamp(index, 0, MAGNIFICATIONS.length - 1)]);
  }

  function point(event) {
    const frame = overview.getBoundingClientRect();
    const part = (value, start, size) => (value - start) / size;
    moveTo(
      part(event.clientX, frame.left, frame.width) * whole.naturalWidth,
      part(event.clientY, frame.top, frame.height) * whole.naturalHeight,
    );
  }

  on(overview, "pointerdown", (event) => {
    if (event.button !== 0) return;
    overview.setPointerCapture(event.pointerId);
    point(event);
  });
  on(overview, "pointermove", (event) => {
    if (overview.hasPointerCapture(event.pointerId)) point(event);
  });
  on(zoom, "input", () => zoomTo(Number(zoom.value)));

  const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const ZOOMS = { "+": 1, "=": 1, "-": -1 };
  on(overview, "keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (Object.hasOwn(DIRECTIONS, event.key)) {
      const step = event.shiftKey ? 1 : Math.max(1, Math.floor(crop().side / 4));
      const [x, y] = model.get("center");
      const [right, down] = DIRECTIONS[event.key];
      moveTo(x + right * step, y + down * step);
    } else if (Object.hasOwn(ZOOMS, event.key)) {
      zoomTo(MAGNIFICATIONS.indexOf(model.get("magnification")) + ZOOMS[event.key]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  model.on("change:pictures", showPictures);
  model.on("change:center change:magnification", showCrop);
  model.on("change:scores", showScores);
  showPictures();

  return () => cancelAnimationFrame(saving);
}

export default { render };
