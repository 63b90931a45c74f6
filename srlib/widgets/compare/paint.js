/** What stands on a canvas: pictures side by side in slices of it, the magnifier, and the mark of the pointer's twin. */

const LOUPE = { width: 220, height: 160 }; // CSS pixels

/**
 * Draw slices of a canvas: [{ source, from, to }], each of which shows its source between two fractions of the width.
 *
 * rectangle: where the whole picture lies, in canvas pixels.  Sources of different size are drawn equally large.
 */
function paint(context, rectangle, slices) {
  const { canvas: box } = context;
  context.clearRect(0, 0, box.width, box.height);
  for (const { source, from, to } of slices) {
    const [left, right] = [Math.round(from * box.width), Math.round(to * box.width)];
    const window = { left, top: 0, width: right - left, height: box.height };
    if (window.width > 0) inside(context, window, () => source.draw(context, rectangle, window));
  }
}

/**
 * The magnifier about a point of the canvas: in each of its parts, the same spot in one of the sources.
 *
 * magnification: canvas pixels for one of the picture, outside the magnifier.
 */
function paintLoupe(context, rectangle, magnification, sources, at) {
  const [{ canvas: box }, density] = [context, devicePixelRatio];
  const [x, y] = inPicture(at, rectangle);
  const factor = Math.max(4, (4 * density) / magnification); // a pixel is seen as a square, however far away the picture is
  const width = Math.min(LOUPE.width * density, box.width / 2);
  const height = Math.min(LOUPE.height * density, box.height / 2);
  const [left, top] = [Math.round(at.x - width / 2), Math.round(at.y - height / 2)];
  const part = width / sources.length;
  sources.forEach((source, n) => {
    const window = { left: left + n * part, top, width: part, height };
    const [wide, high] = [rectangle.width * factor, rectangle.height * factor];
    const large = { left: window.left + part / 2 - x * wide, top: at.y - y * high, width: wide, height: high };
    inside(context, window, () => {
      context.fillStyle = "#888";
      context.fillRect(window.left, top, part, height);
      source.draw(context, large, window);
    });
  });
  const cuts = sources.slice(1).map((_, n) => left + (n + 1) * part);
  for (const [colour, thickness] of [["rgb(0 0 0 / 70%)", 4], ["#fff", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = thickness * density;
    context.strokeRect(left, top, width, height);
    context.beginPath();
    for (const cut of cuts) {
      context.moveTo(cut, top);
      context.lineTo(cut, top + height);
    }
    context.stroke();
  }
}

/** A small cross where the pointer would be in this panel. */
function paintMark(context, at) {
  const density = devicePixelRatio;
  for (const [colour, thickness] of [["#000", 3], ["#fff", 1]]) {
    context.strokeStyle = colour;
    context.lineWidth = thickness * density;
    context.beginPath();
    for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(at.x + 4 * x * density, at.y + 4 * y * density);
      context.lineTo(at.x + 12 * x * density, at.y + 12 * y * density);
    }
    context.stroke();
  }
}

function inside(context, { left, top, width, height }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  draw();
  context.restore();
}
