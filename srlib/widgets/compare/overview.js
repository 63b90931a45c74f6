/** A small picture of the whole in a corner, with a frame around what is seen of it. */

/**
 * A press, a drag and the arrow keys move the frame.
 *
 * Where the images are the whole, the view moves; where they are a part of it, `ask` is told which point is wanted.
 */
function makeOverview(on, act, ask) {
  const image = make("img", { alt: "", draggable: "false" });
  const seen = make("span", { class: "srlib-compare-seen" });
  const node = make("div", {
    class: "srlib-compare-overview", role: "group", tabindex: "0", "aria-label": "Overview",
    "aria-description": "Arrow keys move the part that is shown",
  }, image, seen);
  let isPart = false;
  let rectangle = [0, 0, 1, 1]; // what is seen, in fractions of the whole
  let held = false;

  const center = () => [(rectangle[0] + rectangle[2]) / 2, (rectangle[1] + rectangle[3]) / 2];
  function showSeen([left, top, right, bottom]) {
    Object.assign(seen.style, {
      left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    });
  }
  function moveTo(point, done) {
    const reach = [(rectangle[2] - rectangle[0]) / 2, (rectangle[3] - rectangle[1]) / 2];
    const [x, y] = point.map((value, n) => clamp(value, reach[n], 1 - reach[n]));
    rectangle = [x - reach[0], y - reach[1], x + reach[0], y + reach[1]];
    showSeen(rectangle);
    if (!isPart) act.goTo([x, y]);
    else if (done) ask([x, y]);
  }
  const pointed = ({ clientX, clientY }) => {
    const { left, top, width, height } = image.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  };
  on(node, "pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    node.setPointerCapture(event.pointerId);
    moveTo(pointed(event), false);
  });
  on(node, "pointermove", (event) => held && moveTo(pointed(event), false));
  on(node, "pointerup", (event) => {
    if (held) moveTo(pointed(event), true);
    held = false;
  });
  on(node, "pointercancel", () => (held = false));
  on(node, "keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = center();
    moveTo([x + (step[0] * (rectangle[2] - rectangle[0])) / 2, y + (step[1] * (rectangle[3] - rectangle[1])) / 2], true);
  });

  /** Show what is seen of the images, which are a part of the whole; all in fractions. */
  function show(whole, part, visible) {
    const [left, top, right, bottom] = part;
    const [width, height] = [right - left, bottom - top];
    isPart = width < 1 || height < 1;
    const all = !isPart && visible[2] - visible[0] > 0.95 && visible[3] - visible[1] > 0.95;
    node.hidden = !whole || all;
    if (image.getAttribute("src") !== whole) image.src = whole;
    if (held) return;
    rectangle = [left + visible[0] * width, top + visible[1] * height, left + visible[2] * width, top + visible[3] * height];
    showSeen(rectangle);
  }
  return { node, show };
}
