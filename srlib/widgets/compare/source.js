/**
 * One picture: its overview, which is there from the start, and finer tiles, which are asked for when they are looked at.
 *
 * On level n of the pyramid one pixel is the mean of 2^n x 2^n pixels of the picture; level 0 is the picture itself.  A small
 * picture is its own overview and has no tiles.
 */

const TILE = 512; // pixels; pyramid.py cuts the same
const KEPT = 96; // tiles, a megabyte each; more than the largest screens show
const ASKED_AT_ONCE = 6; // the rest waits, so that a place already left is not sent

/** Pixels as they are in the file: no colour conversion, no premultiplication. */
const decode = (png) =>
  createImageBitmap(new Blob([png], { type: "image/png" }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });

const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

class Source {
  /**
   * ask(level, column, row) requests a tile, which comes through `receive`, sooner, later or never.
   * squares: from which magnification on pixels are drawn as squares.
   */
  constructor(overview, [width, height], ask, squares = 1) {
    this.squares = squares;
    this.size = { width, height };
    this.overview = overview;
    this.coarsest = Math.round(Math.log2(width / overview.width));
    this.ask = ask;
    this.tiles = new Map(); // in the order of their last use
    this.asked = new Set();
  }

  async receive(key, png) {
    this.tiles.set(key, await decode(png));
    this.asked.delete(key); // not before it can be drawn, or it would be asked for again
    for (const [oldest, bitmap] of this.tiles) {
      if (this.tiles.size <= KEPT) break;
      bitmap.close();
      this.tiles.delete(oldest);
    }
  }

  /** Draw what a window of the canvas shows of the picture, which as a whole lies in `rectangle`; both in canvas pixels. */
  draw(context, rectangle, window) {
    const scale = rectangle.width / this.size.width;
    const smooth = scale < this.squares - 1e-6;
    const finest = Math.min(Math.max(Math.floor(1e-6 - Math.log2(scale)), 0), this.coarsest);
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = smooth || this.coarsest > 0; // what stands in for pixels still to come is smooth
    this.#put(context, this.overview, rectangle, 0, 0, this.size.width, this.size.height);
    for (let level = this.coarsest - 1; level >= finest; level--) {
      context.imageSmoothingEnabled = smooth || level > 0;
      for (const [column, row] of this.#seen(level, rectangle, window)) {
        const key = `${level}/${column}/${row}`;
        const step = TILE << level;
        const tile = this.tiles.get(key);
        if (tile) {
          this.tiles.delete(key);
          this.tiles.set(key, tile);
          this.#put(context, tile, rectangle, column * step, row * step, tile.width << level, tile.height << level);
        } else if (level === finest && !this.asked.has(key) && this.asked.size < ASKED_AT_ONCE) {
          this.asked.add(key);
          this.ask(level, column, row);
        }
      }
    }
  }

  /** The pixel at a point given in fractions: its colour, and whether it is the picture's own or, so far, a mean of several. */
  valueAt(x, y) {
    const column = Math.min(Math.floor(x * this.size.width), this.size.width - 1);
    const row = Math.min(Math.floor(y * this.size.height), this.size.height - 1);
    const tile = this.tiles.get(`0/${Math.floor(column / TILE)}/${Math.floor(row / TILE)}`);
    if (tile) probe.drawImage(tile, column % TILE, row % TILE, 1, 1, 0, 0, 1, 1);
    else probe.drawImage(this.overview, column >> this.coarsest, row >> this.coarsest, 1, 1, 0, 0, 1, 1);
    return { rgb: [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)], exact: Boolean(tile) || this.coarsest === 0 };
  }

  close() {
    this.overview.close();
    this.tiles.forEach((tile) => tile.close());
    this.tiles.clear();
  }

  /** A part of the picture, on whole canvas pixels so that neighbours meet without a seam. */
  #put(context, image, rectangle, left, top, width, height) {
    const scale = { x: rectangle.width / this.size.width, y: rectangle.height / this.size.height };
    const right = Math.min(left + width, this.size.width);
    const bottom = Math.min(top + height, this.size.height);
    const [x0, x1] = [left, right].map((x) => Math.round(rectangle.left + x * scale.x));
    const [y0, y1] = [top, bottom].map((y) => Math.round(rectangle.top + y * scale.y));
    context.drawImage(image, x0, y0, x1 - x0, y1 - y0);
  }

  /** The tiles of a level that the window touches, those in the middle first. */
  #seen(level, rectangle, window) {
    const step = TILE << level;
    const range = (from, to, origin, length, pixels) => {
      const [first, last] = [from, to].map((at) => Math.floor((((at - origin) / length) * pixels) / step));
      const ends = [Math.max(first, 0), Math.min(last, Math.ceil(pixels / step) - 1)];
      return Array.from({ length: Math.max(0, ends[1] - ends[0] + 1) }, (_, n) => ends[0] + n);
    };
    const { left, top, width, height } = window;
    const across = range(left, left + width, rectangle.left, rectangle.width, this.size.width);
    const down = range(top, top + height, rectangle.top, rectangle.height, this.size.height);
    const off = (column, row) =>
      Math.abs(column - across[across.length >> 1]) + Math.abs(row - down[down.length >> 1]);
    return down.flatMap((row) => across.map((column) => [column, row])).sort((a, b) => off(...a) - off(...b));
  }
}
