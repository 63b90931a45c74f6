/** An overview in which a square is moved, and that square of every picture, unsmoothed. */

const MAGNIFICATIONS = [1, 2, 4, 8, 16];
const HINT = "Click the picture, or use the arrow keys on it (with Shift by one pixel), to move the crop; + and − to zoom.";
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOMS = { "+": 1, "=": 1, "-": -1 };

function render({ model, el, signal }) {
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const set = setter(model, signal);

  const hint = make("p", { class: "srlib-crops-hint", id: uniqueId() }, HINT);
  const whole = make("img", { alt: "HR, all of it", draggable: "false" });
  const box = make("div", { class: "srlib-crops-box", "aria-hidden": "true" });
  const overview = make("div", {
    class: "srlib-crops-overview", role: "group", tabindex: "0",
    "aria-label": "Overview: the position of the crop", "aria-describedby": hint.id,
  }, whole, box);
  const zoom = make("input", {
    type: "range", min: "0", max: `${MAGNIFICATIONS.length - 1}`, step: "1", "aria-label": "Magnification",
  });
  const place = make("output", { class: "srlib-crops-place", "aria-live": "polite" });
  const panels = make("div", { class: "srlib-crops-panels" });
  const root = make("div", { class: "srlib-crops" },
    make("div", { class: "srlib-crops-left" }, overview, make("div", { class: "srlib-crops-controls" }, zoom, place, hint)),
    panels);
  el.append(root);

  let images = [];
  let canvases = [];
  let captions = [];
  let decoding = 0;

  /** The square of HR that is shown; explorer.py has the same rule. */
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
    canvases = labels.map(() => make("canvas", { role: "img" }));
    captions = labels.map(() => make("figcaption"));
    panels.replaceChildren(...canvases.map((canvas, i) => make("figure", {}, canvas, captions[i])));
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
    const labels = model.get("labels");
    const scores = model.get("scores");
    captions.forEach((caption, i) => {
      caption.replaceChildren(make("strong", {}, labels[i]), make("br"), scores[i] ?? "");
      canvases[i].setAttribute("aria-label", `Crop of ${labels[i]}: ${scores[i] ?? ""}`);
    });
  }

  function moveTo(x, y) {
    const half = Math.floor(crop().side / 2); // the middle stays where a crop fits, so that no key press is lost outside
    const within = (value, size) => clamp(Math.round(value), half, Math.max(half, size - crop().side + half));
    set({ center: [within(x, whole.naturalWidth), within(y, whole.naturalHeight)] });
  }

  function zoomTo(index) {
    set({ magnification: MAGNIFICATIONS[clamp(index, 0, MAGNIFICATIONS.length - 1)] });
  }

  function point(event) {
    const frame = overview.getBoundingClientRect();
    moveTo(
      ((event.clientX - frame.left) / frame.width) * whole.naturalWidth,
      ((event.clientY - frame.top) / frame.height) * whole.naturalHeight,
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

  listen(model, signal, "change:pictures", showPictures);
  listen(model, signal, "change:center", showCrop);
  listen(model, signal, "change:magnification", showCrop);
  listen(model, signal, "change:scores", showScores);
  showPictures();
}
