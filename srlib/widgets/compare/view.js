/**
 * Where pictures lie on the screen: geometry without a page.
 *
 * A view is { zoom, center: [x, y] }: `center` is the point of the picture in the middle of the box, in fractions of the picture;
 * zoom is 1 when the whole picture just fits.  So nothing moves when a box is resized, and pictures of different size agree.
 * Boxes and points are in pixels of the screen, of which a CSS pixel may have several; only `frameShape` counts those.
 */

const LARGEST = 64; // pixels of the screen that one pixel of the finest picture may cover, in one direction
const ENOUGH = 8; // CSS pixels that a pixel of the picture covers at most when it is opened without a margin
const COMFORTABLE_WIDTH = 480; // smaller pictures are shown at a whole multiple of their size, so that their pixels stay even
const GAP = 4; // CSS pixels between pictures side by side
const WORTH = 1.25; // how much larger pictures must get before they lie below one another

/** How large one pixel of the picture is when the whole of it is seen, but for less than a pixel of the screen. */
function fitted(box, size) {
  const [across, down] = [box.width / size.width, box.height / size.height];
  const covered = Math.max(across, down);
  const over = Math.max(covered * size.width - box.width, covered * size.height - box.height);
  return over < 1 ? covered : Math.min(across, down); // a box is of whole pixels: rounding must leave no bare line
}

/** The rectangle that the whole picture takes, of which the box may show a part. */
function place(box, size, { zoom, center: [x, y] }) {
  const scale = fitted(box, size) * zoom;
  const [width, height] = [size.width * scale, size.height * scale];
  return { left: box.width / 2 - x * width, top: box.height / 2 - y * height, width, height };
}

/** The view nearest to a wanted one that shows as much picture as it can: no margin on one side while the other is cut off. */
function settled(box, size, { zoom, center: [x, y] }) {
  const fit = fitted(box, size);
  zoom = clamp(zoom, Math.min(1, 1 / fit), Math.max(8, LARGEST / fit));
  const margin = (room, side) => Math.min(0.5, room / (2 * side * fit * zoom));
  const [across, down] = [margin(box.width, size.width), margin(box.height, size.height)];
  return { zoom, center: [clamp(x, across, 1 - across), clamp(y, down, 1 - down)] };
}

/** The view after zooming by a factor about a point of the box and then shifting the picture by some pixels. */
function moved(box, size, view, { factor = 1, at = middle(box), by = { x: 0, y: 0 } }) {
  const [x, y] = inPicture(at, place(box, size, view));
  const { zoom } = settled(box, size, { ...view, zoom: view.zoom * factor });
  const { width, height } = place(box, size, { ...view, zoom });
  const center = [x - (at.x + by.x - box.width / 2) / width, y - (at.y + by.y - box.height / 2) / height];
  return settled(box, size, { zoom, center });
}

/** The view at which one pixel of the picture is one pixel of the screen. */
const trueSize = (box, size, view) => settled(box, size, { ...view, zoom: 1 / fitted(box, size) });

/**
 * The view to open pictures with: about a point in true size, or larger on a dense screen so that a pixel can be seen, but
 * never less than fits; without a point, or if `cover` is set, without a margin either, as long as pixels stay small.
 */
function opened(box, size, { detail, cover, density }) {
  const fit = fitted(box, size);
  const without = Math.max(box.width / size.width, box.height / size.height);
  const pixels = density < 1.75 ? 1 : Math.ceil(density); // of the screen for each of the picture
  const least = cover || !detail ? Math.min(without, ENOUGH * density) : fit;
  const zoom = (detail ? Math.max(least, pixels) : least) / fit;
  return settled(box, size, { zoom, center: detail ?? [0.5, 0.5] });
}

/** The view of a whole in which a part of it stays where it was on the screen. */
function unmoved(box, size, { width, left, top }) {
  const zoom = width / size.width / fitted(box, size);
  const center = [(box.width / 2 - left) / width, (box.height / 2 - top) / ((width * size.height) / size.width)];
  return settled(box, size, { zoom, center });
}

const middle = (box) => ({ x: box.width / 2, y: box.height / 2 });

/** A point of the box in fractions of the picture; below 0 or above 1 beside it. */
const inPicture = ({ x, y }, { left, top, width, height }) => [(x - left) / width, (y - top) / height];

/** The part of the picture that is seen, in fractions of it: [left, top, right, bottom]. */
function visible(box, rectangle) {
  const corners = [inPicture({ x: 0, y: 0 }, rectangle), inPicture({ x: box.width, y: box.height }, rectangle)];
  return corners.flat().map((value) => clamp(value, 0, 1));
}

/** How many pixels of the screen one pixel of the picture covers, in one direction. */
const magnification = (box, size, { zoom }) => fitted(box, size) * zoom;

/** Whether some of the picture lies outside the box; by less than a pixel does not count. */
const canMove = (box, { width, height }) => width > box.width + 1 || height > box.height + 1;

/**
 * How to lay `count` pictures out in a room so that they get large, but not larger than their comfortable size: columns, rows,
 * and the size of them all in CSS pixels.
 */
function frameShape(count, room, size) {
  const comfortable = size.width * Math.max(1, Math.round(COMFORTABLE_WIDTH / size.width));
  const shapes = Array.from({ length: count }, (_, n) => {
    const [across, down] = [n + 1, Math.ceil(count / (n + 1))];
    const wide = (room.width - (across - 1) * GAP) / across;
    const high = (room.height - (down - 1) * GAP) / down;
    const width = Math.min(comfortable, wide, (high * size.width) / size.height);
    return { across, down, panel: { width, height: (width * size.height) / size.width } };
  });
  const better = (best, shape) => (shape.panel.width > WORTH * best.panel.width ? shape : best);
  const { across, down, panel } = shapes.reverse().reduce(better);
  const length = (n, side) => n * side + (n - 1) * GAP;
  return { across, down, width: length(across, panel.width), height: length(down, panel.height) };
}
