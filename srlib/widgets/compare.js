/**
 * Two pictures of one scene under a draggable divider; zoom and pan act on both.
 *
 * The view is kept in fractions, never in screen pixels: `position` of the divider in the frame, `center` the point of the
 * picture in the middle of the frame, `zoom` 1 when the picture fills the frame.  So nothing moves when the frame is resized.
 */

const MAX_ZOOM = 32;
const COMFORTABLE_WIDTH = 480; // smaller pictures are shown at a whole multiple of their size, so that their pixels stay even
const HINT = "Drag the line to compare. Click the picture, then scroll or press + and − to zoom, drag or use the arrow keys to move.";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function make(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function render({ model, el, signal }) {
  const on = (target, type, handler, options = {}) => target.addEventListener(type, handler, { signal, ...options });

  // JupyterLab deletes the cell on "d d" unless the very element that has the focus carries this attribute.
  const keyboard = { tabindex: "0", "data-lm-suppress-shortcuts": "true" };
  const hint = make("span", "srlib-compare-hint", { id: `srlib-hint-${crypto.randomUUID()}` });
  hint.textContent = HINT;
  const frame = make("div", "srlib-compare-frame", { role: "group", "aria-describedby": hint.id, ...keyboard });
  const sides = ["right", "left"].map((side) => {
    const layer = make("div", `srlib-compare-layer srlib-compare-${side}`);
    const image = make("img", "", { draggable: "false" });
    const label = make("span", "srlib-compare-label", { "aria-hidden": "true" });
    layer.append(image, label);
    return { layer, image, label };
  });
  const [right, left] = sides; // the left one lies on top and is clipped at the divider, its label with it
  const divider = make("div", "srlib-compare-divider", {
    role: "slider", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100", ...keyboard,
  });
  divider.append(make("div", "srlib-compare-grip", { "aria-hidden": "true" }));
  frame.append(right.layer, left.layer, divider);
  const magnification = make("output", "srlib-compare-magnification", { "aria-label": "Magnification" });
  const footer = make("div", "srlib-compare-footer");
  footer.append(hint, magnification);
  const root = make("div", "srlib-compare");
  root.append(frame, footer);
  el.append(root);

  // ---- from the model to the page

  async function showPictures() {
    delete root.dataset.ready;
    const blobs = model.get("pictures").map((png) => new Blob([png], { type: "image/png" }));
    const urls = blobs.map((blob) => URL.createObjectURL(blob));
    left.image.src = urls[0];
    right.image.src = urls[1];
    try {
      await Promise.all(sides.map(({ image }) => image.decode()));
    } catch {
      return; // newer pictures have taken their place, or the view is gone
    } finally {
      urls.forEach((url) => URL.revokeObjectURL(url)); // a decoded image no longer needs its address
    }
    const finest = sides.map(({ image }) => image).reduce((a, b) => (a.naturalWidth >= b.naturalWidth ? a : b));
    const multiple = Math.max(1, Math.round(COMFORTABLE_WIDTH / finest.naturalWidth));
    root.style.setProperty("--srlib-width", `${finest.naturalWidth * multiple}px`);
    root.style.setProperty("--srlib-aspect", finest.naturalWidth / finest.naturalHeight);
    root.dataset.ready = "true";
    showView();
  }

  function showLabels() {
    const [leftLabel, rightLabel] = model.get("labels");
    left.label.textContent = left.image.alt = leftLabel;
    right.label.textContent = right.image.alt = rightLabel;
    frame.setAttribute("aria-label", `Comparison of ${leftLabel} and ${rightLabel}`);
    divider.setAttribute("aria-label", `Divider between ${leftLabel} and ${rightLabel}`);
    showView();
  }

  function showView() {
    const [position, zoom, [x, y]] = [model.get("position"), model.get("zoom"), model.get("center")];
    const percent = Math.round(100 * position);
    left.layer.style.clipPath = `inset(0 ${100 - 100 * position}% 0 0)`;
    divider.style.left = `${100 * position}%`;
    divider.setAttribute("aria-valuenow", percent);
    divider.setAttribute("aria-valuetext", `${percent} % ${model.get("labels")[0]}`);
    frame.style.touchAction = zoom > 1 ? "none" : "pan-y"; // a finger scrolls the page over a picture that cannot be moved
    for (const { image } of sides) {
      image.style.transform = `translate(${50 - 100 * x * zoom}%, ${50 - 100 * y * zoom}%) scale(${zoom})`;
      image.style.imageRendering = screenPixels(image) > 1 ? "pixelated" : "auto";
    }
    const finest = Math.min(...sides.map(({ image }) => screenPixels(image)));
    magnification.textContent = Number.isFinite(finest) ? `${Math.round(100 * finest)} %` : "";
  }

  /** How many screen pixels one pixel of the picture covers, in one direction. */
  const screenPixels = (image) => (frame.clientWidth * model.get("zoom") * devicePixelRatio) / image.naturalWidth;

  // ---- from the hand to the model

  let saving = 0;
  function set(state) {
    for (const [name, value] of Object.entries(state)) model.set(name, value);
    saving ||= requestAnimationFrame(() => {
      saving = 0;
      model.save_changes();
    });
  }

  function look(zoom, x, y) {
    const margin = 0.5 / zoom; // the frame never shows what lies outside the picture
    set({ zoom, center: [clamp(x, margin, 1 - margin), clamp(y, margin, 1 - margin)] });
  }

  /** Zoom by a factor about a point of the frame, given in fractions of it, then shift the picture by another fraction. */
  function zoomBy(factor, at = { x: 0.5, y: 0.5 }, shift = { x: 0, y: 0 }) {
    const [zoom, [x, y]] = [model.get("zoom"), model.get("center")];
    const closer = clamp(zoom * factor, 1, MAX_ZOOM);
    const stay = 1 / zoom - 1 / closer;
    look(closer, x + (at.x - 0.5) * stay - shift.x / closer, y + (at.y - 0.5) * stay - shift.y / closer);
  }

  const moveBy = (x, y) => zoomBy(1, undefined, { x, y });
  const divideAt = (position) => set({ position: clamp(position, 0, 1) });
  const reset = () => set({ position: 0.5, zoom: 1, center: [0.5, 0.5] });

  /** A point of the screen in fractions of the frame. */
  function inFrame({ clientX, clientY }) {
    const box = frame.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  }

  on(divider, "pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  on(divider, "pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) divideAt(inFrame(event).x);
  });

  // One finger or the mouse pans, two fingers pan and zoom: the mean of the pointers moves, their spread grows.
  const pointers = new Map();
  function grasp() {
    const points = [...pointers.values()];
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / points.length;
    const [x, y] = [mean(points.map((p) => p.x)), mean(points.map((p) => p.y))];
    const spread = mean(points.map((p) => Math.hypot((p.x - x) * frame.clientWidth, (p.y - y) * frame.clientHeight)));
    return { x, y, spread };
  }
  on(frame, "pointerdown", (event) => {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, inFrame(event));
  });
  on(frame, "pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = grasp();
    pointers.set(event.pointerId, inFrame(event));
    const after = grasp();
    const factor = before.spread ? after.spread / before.spread : 1;
    zoomBy(factor, before, { x: after.x - before.x, y: after.y - before.y });
  });
  for (const type of ["pointerup", "pointercancel"]) on(frame, type, (event) => pointers.delete(event.pointerId));
  on(frame, "dblclick", reset);

  // The wheel scrolls the page until the reader has clicked the picture or tabbed to it.
  const zoomWithWheel = (event) => {
    if (!frame.matches(":focus-within")) return;
    event.preventDefault();
    event.stopPropagation();
    zoomBy(Math.exp(-event.deltaY / 500), inFrame(event));
  };
  on(frame, "wheel", zoomWithWheel, { passive: false });

  const viewKeys = {
    "+": () => zoomBy(1.25),
    "=": () => zoomBy(1.25),
    "-": () => zoomBy(0.8),
    0: reset,
  };
  const frameKeys = {
    ...viewKeys,
    ArrowLeft: () => moveBy(0.1, 0),
    ArrowRight: () => moveBy(-0.1, 0),
    ArrowUp: () => moveBy(0, 0.1),
    ArrowDown: () => moveBy(0, -0.1),
  };
  const step = (event) => (event.shiftKey ? 0.1 : 0.01);
  const dividerKeys = {
    ...viewKeys,
    ArrowLeft: (event) => divideAt(model.get("position") - step(event)),
    ArrowDown: (event) => divideAt(model.get("position") - step(event)),
    ArrowRight: (event) => divideAt(model.get("position") + step(event)),
    ArrowUp: (event) => divideAt(model.get("position") + step(event)),
    PageDown: () => divideAt(model.get("position") - 0.1),
    PageUp: () => divideAt(model.get("position") + 0.1),
    Home: () => divideAt(0),
    End: () => divideAt(1),
  };
  on(frame, "keydown", (event) => {
    const keys = event.target === divider ? dividerKeys : frameKeys;
    if (!Object.hasOwn(keys, event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key](event);
  });

  model.on("change:pictures", showPictures);
  model.on("change:labels", showLabels);
  for (const name of ["position", "zoom", "center"]) model.on(`change:${name}`, showView);
  const resized = new ResizeObserver(showView); // the magnification follows the width
  resized.observe(frame);
  showLabels();
  showPictures();

  return () => {
    resized.disconnect();
    cancelAnimationFrame(saving);
  };
}

export default { render };
