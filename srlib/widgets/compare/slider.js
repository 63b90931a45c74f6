/** Two to four pictures of one scene, under a divider, in turn, or side by side; zoom and pan act on all of them. */

const BEAT = 700; // milliseconds that the flicker shows a picture; slower than the three flashes a second that may harm
const SWEEP = 3200; // milliseconds for the divider to go to both sides
const SQUARES = 3; // with the simple tools, pixels are smooth below this size
const REST = 200; // milliseconds without a movement before the PSNR of what is seen is asked for

function render({ model, el, signal }) {
  const on = (target, type, handler, options = {}) => target.addEventListener(type, handler, { signal, ...options });
  const get = (...names) => names.map((name) => model.get(name));
  const set = setter(model, signal);

  const simple = model.get("tools") === "simple"; // fills the room it is given

  // What this view of the model knows by itself; the rest is in the model.
  let sources = [];
  let size = null; // of the finest picture
  let pointer = null; // { panel, x, y } in screen pixels of a panel
  let opening = null; // { version, … }: how the pictures of this version are to be opened
  let seen = {}; // { whole, part } of the pictures that are shown
  let current = 0; // the picture that the flicker shows
  let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let loupe = false;
  let scores = null; // the PSNR of each picture in what is seen, in words
  let stale = true; // whether the pictures are to be drawn again, and not only what lies over and around them
  let beating = 0; // three timers
  let resting = 0;
  let refreshing = 0;

  const view = () => ({ zoom: model.get("zoom"), center: model.get("center") });
  const box = () => ({ width: panels[0].canvas.width, height: panels[0].canvas.height });
  const rectangle = () => place(box(), size, view());
  const look = (movement) => set(moved(box(), size, view(), movement));

  const act = {
    look,
    zoomIn: () => look({ factor: 1.25 }),
    zoomOut: () => look({ factor: 0.8 }),
    trueSize: () => set(trueSize(box(), size, view())),
    reset: () => set({ ...(!simple && { position: 0.5 }), zoom: 1, center: [0.5, 0.5] }),
    goTo: (center) => set(settled(box(), size, { ...view(), center })),
    drag: (by) => (canMove(box(), rectangle()) ? look({ by }) : act.divideBy(by.x / box().width)),
    move(x, y, onePixel) {
      const one = magnification(box(), size, view());
      const step = onePixel ? { width: one, height: one } : { width: box().width / 10, height: box().height / 10 };
      look({ by: { x: x * step.width, y: y * step.height } });
    },
    divideAt: ({ x }) => set({ position: clamp(x / box().width, 0, 1) }),
    divideBy: (step) => set({ position: clamp(model.get("position") + step, 0, 1) }),
    setMode: (mode) => set({ mode }),
    nextMode: () => set({ mode: MODES[(MODES.indexOf(model.get("mode")) + 1) % MODES.length] }),
    /** Show a picture: in the flicker, or on one side (0 or 1) of the divider. */
    choose(side, picture) {
      if (picture >= sources.length) return;
      if (model.get("mode") === "divider") set({ pair: model.get("pair").map((n, k) => (k === side ? picture : n)) });
      current = picture;
      play(false);
    },
    nextPicture: () => model.get("mode") === "flicker" && act.choose(1, (current + 1) % sources.length),
    togglePlaying: () => play(!playing),
    pointAt(point) {
      pointer = point;
      refreshAround();
    },
    toggleLoupe() {
      loupe = !loupe;
      refreshAround();
    },
    toggleHelp() {
      help.hidden = !help.hidden;
      refreshAround();
    },
    toggleFullScreen() {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (document.fullscreenEnabled) root.requestFullscreen();
    },
  };

  const frame = make("div", {
    class: "srlib-compare-frame", role: "group", tabindex: "0",
    "aria-description": "Plus and minus zoom, arrows move, ? lists the other keys",
  });
  const divider = make("div", {
    class: "srlib-compare-divider", role: "slider", tabindex: "0",
    "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
  }, make("div", { class: "srlib-compare-grip", "aria-hidden": "true" }));
  const bar = makeBar(act);
  const readings = makeReadings();
  const help = makeHelp();
  const overview = makeOverview(on, act, (target) => set({ target }));
  const root = simple
    ? make("div", { class: "srlib-compare srlib-compare-simple" }, frame, bar.zoom, overview.node)
    : make("div", { class: "srlib-compare" }, frame, bar.node, readings.node, help);
  el.append(root);

  const panels = [];
  const addPanel = () => {
    const canvas = make("canvas", { class: "srlib-compare-canvas", role: "img" });
    const overlay = make("canvas", { class: "srlib-compare-canvas srlib-compare-overlay", "aria-hidden": "true" });
    const pills = ["left", "right"].map((side) => make("span", { class: `srlib-compare-pill srlib-compare-${side}` }));
    const layers = pills.map((pill) => make("div", { class: "srlib-compare-layer", "aria-hidden": "true" }, pill));
    const node = make("div", { class: "srlib-compare-panel" }, canvas, ...layers, overlay);
    panels.push({ node, canvas, overlay, pills, layers });
    frame.append(node, divider); // the divider stays on top
    resized.observe(node);
  };

  // ---- from the model to the page

  async function showPictures() {
    const [version, pictures, sizes] = get("version", "pictures", "sizes");
    const [detail, cover, whole, part] = get("detail", "cover", "whole", "part");
    const overviews = await Promise.all(pictures.map(decode));
    if (signal.aborted || version !== model.get("version")) return; // newer pictures have taken their place, or the view is gone
    const stays = whole && whole === seen.whole && part[2] - part[0] === 1 ? wholeOnScreen() : null;
    seen = { whole, part };
    sources.forEach((source) => source.close());
    sources = overviews.map((overview, picture) => {
      const ask = (level, column, row) => model.send({ tile: [version, picture, level, column, row] });
      return new Source(overview, sizes[picture], ask, simple ? SQUARES : 1);
    });
    size = sources.map((source) => source.size).reduce((a, b) => (a.width >= b.width ? a : b));
    current = 0;
    scores = null;
    while (panels.length < sources.length) addPanel();
    arrange();
    askScores();
    opening = detail || cover ? { version, detail, cover, stays } : null;
    openAtDetail();
    root.dataset.ready = version;
    if (model.get("sweep")) sweep();
  }

  /** Move the divider to both sides and back, once, until somebody takes it; only this page sees it. */
  function sweep() {
    model.set("sweep", false);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const began = performance.now();
    const taken = new AbortController();
    for (const type of ["pointerdown", "keydown"]) on(root, type, () => taken.abort(), { capture: true, once: true });
    const step = (now) => {
      const time = clamp((now - began) / SWEEP, 0, 1);
      if (signal.aborted || taken.signal.aborted) return;
      model.set("position", 0.5 - 0.38 * Math.sin(2 * Math.PI * time));
      if (time < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Where the whole would lie on the screen of which the pictures are a part. */
  function wholeOnScreen() {
    const [{ left, top, width, height }, [x0, y0, x1, y1]] = [rectangle(), seen.part];
    const [across, down] = [width / (x1 - x0), height / (y1 - y0)];
    return { width: across, left: left - x0 * across, top: top - y0 * down };
  }

  /** Go to the detail once, as soon as the panels have their size: two frames after they were arranged. */
  function openAtDetail() {
    if (!opening || signal.aborted) return;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (!opening || !panels[0].node.clientWidth) return; // done, or on a page that is hidden
      if (opening.version !== model.get("version")) return; // other pictures are on their way
      if (Math.abs(box().width - panels[0].node.clientWidth * devicePixelRatio) > 2) return openAtDetail();
      const same = opening.stays ? unmoved(box(), size, opening.stays) : { zoom: 0, center: opening.detail };
      const view = opened(box(), size, { ...opening, detail: same.center, density: devicePixelRatio });
      set({ ...(same.zoom > view.zoom ? same : view), detail: null });
      opening = null;
    }));
  }

  /** Give each mode its panels and the frame its shape. */
  function arrange() {
    if (!sources.length) return;
    const mode = model.get("mode");
    const count = mode === "side-by-side" ? sources.length : 1;
    const full = document.fullscreenElement === root || simple;
    const inline = { width: root.clientWidth - 8, height: 0.75 * innerHeight }; // its padding; its bar wants to be seen too
    const room = full ? { width: frame.clientWidth, height: frame.clientHeight } : inline;
    const { across, down, width, height } = frameShape(count, room, size);
    Object.assign(frame.style, full ? { width: "", height: "" } : { width: `${width}px`, height: `${height}px` });
    frame.style.gridTemplate = `repeat(${down}, minmax(0, 1fr)) / repeat(${across}, minmax(0, 1fr))`;
    root.style.setProperty("--srlib-frame", full ? "100%" : `${width}px`);
    panels.forEach(({ node }, n) => (node.hidden = n >= count));
    divider.hidden = mode !== "divider";
    play(playing);
  }

  const resized = new ResizeObserver((entries) => {
    for (const { target, contentRect, devicePixelContentBoxSize } of entries) {
      const exact = devicePixelContentBoxSize?.[0]; // what the product below rounds to depends on where the panel stands
      for (const canvas of target.querySelectorAll(":scope > canvas")) {
        canvas.width = exactOr(exact?.inlineSize, contentRect.width * devicePixelRatio);
        canvas.height = exactOr(exact?.blockSize, contentRect.height * devicePixelRatio);
      }
    }
    arrange();
    openAtDetail();
    showAll(); // at once: setting the size has emptied the canvas, and arrange() has made it stale
    askScores();
  });
  resized.observe(root);

  /** Which pictures a panel shows, from left to right. */
  function shownIn(panel) {
    const [mode, pair] = get("mode", "pair");
    if (mode === "divider") return pair.map((n) => Math.min(n, sources.length - 1)); // while more pictures are on their way
    return [mode === "flicker" ? current : panel];
  }

  function showPanel({ canvas, overlay, pills, layers }, n) {
    const [mode, labels, position] = get("mode", "labels", "position");
    const pictures = shownIn(n);
    const edges = mode === "divider" ? [0, position, 1] : [0, 1];
    const slices = pictures.map((i, k) => ({ source: sources[i], from: edges[k], to: edges[k + 1] }));
    if (stale) paint(canvas.getContext("2d"), rectangle(), slices);
    canvas.setAttribute("aria-label", pictures.map((i) => labels[i]).join(" and "));
    pills.forEach((pill, k) => (pill.textContent = labels[pictures[k]] ?? ""));
    layers.forEach((layer, k) => (layer.hidden = k >= pictures.length));
    layers[0].style.clipPath = `inset(0 ${100 - 100 * edges[1]}% 0 0)`; // a label goes under with its picture
    layers[1].style.clipPath = `inset(0 0 0 ${100 * edges[1]}%)`;

    const context = overlay.getContext("2d");
    const spot = spotInPicture();
    context.clearRect(0, 0, overlay.width, overlay.height);
    if (!spot) return;
    const { left, top, width, height } = rectangle();
    const at = { x: left + spot[0] * width, y: top + spot[1] * height };
    if (loupe) paintLoupe(context, rectangle(), magnification(box(), size, view()), slices.map(({ source }) => source), at);
    else if (pointer.panel !== n) paintMark(context, at);
  }

  /** The point under the pointer, in fractions of the picture, or null; the magnifier without a pointer stays in the middle. */
  function spotInPicture() {
    if (!pointer && !loupe) return null;
    const spot = inPicture(pointer ?? middle(box()), rectangle());
    return spot.every((value) => value >= 0 && value < 1) ? spot : null;
  }

  function showControls() {
    const [mode, labels, pair, position] = get("mode", "labels", "pair", "position");
    const percent = `${Math.round(100 * magnification(box(), size, view()))} %`;
    const full = document.fullscreenElement === root;
    bar.show({ mode, labels, pair, playing, percent, loupe, full, help: !help.hidden });
    const spot = spotInPicture();
    overview.show(model.get("whole"), model.get("part"), visible(box(), rectangle()));
    readings.show({
      labels, scores,
      position: spot && [Math.floor(spot[0] * size.width), Math.floor(spot[1] * size.height)],
      values: spot && sources.map((source) => source.valueAt(...spot)),
    });
    frame.setAttribute("aria-label", `Comparison of ${new Intl.ListFormat("en").format(labels)}`);
    frame.style.touchAction = canMove(box(), rectangle()) ? "none" : "pan-y"; // elsewhere a finger scrolls the page
    const [left, right] = pair.map((n) => labels[n]);
    divider.style.left = `${100 * position}%`;
    divider.setAttribute("aria-label", `Divider between ${left} and ${right}`);
    divider.setAttribute("aria-valuenow", Math.round(100 * position));
    divider.setAttribute("aria-valuetext", `${Math.round(100 * position)} % ${left}`);
  }

  function showAll() {
    if (!sources.length || !box().width) return; // nothing to show yet, or on a page that is hidden
    panels.forEach((panel, n) => panel.node.hidden || showPanel(panel, n));
    stale = false;
    showControls();
  }

  function refresh() {
    stale = true;
    refreshAround();
  }

  function refreshAround() {
    refreshing ||= requestAnimationFrame(() => {
      refreshing = 0;
      showAll();
    });
  }

  function play(go) {
    playing = go;
    clearInterval(beating);
    const beat = () => {
      current = (current + 1) % sources.length;
      refresh();
    };
    if (playing && model.get("mode") === "flicker") beating = setInterval(beat, BEAT);
    refresh();
  }

  // ---- between the page and the kernel

  function askScores() {
    if (!model.get("scored") || !sources.length) return;
    clearTimeout(resting);
    const ask = () => box().width && model.send({ psnr: [model.get("version"), ...visible(box(), rectangle())] });
    resting = setTimeout(ask, REST);
  }

  function receive({ tile, psnr }, buffers) {
    const [version, ...rest] = tile ?? psnr;
    if (version !== model.get("version") || !sources.length) return;
    if (psnr) [scores] = rest;
    else sources[rest[0]].receive(rest.slice(1).join("/"), buffers[0]).then(refresh);
    refresh();
  }

  function lookElsewhere() {
    refresh();
    askScores();
  }

  /** Where an event is, in screen pixels of a panel: of the one under it, unless its number is given. */
  function locate({ clientX, clientY }, panel) {
    const boxes = panels.map(({ node }) => node.getBoundingClientRect());
    const under = ({ left, right, top, bottom }) => clientX >= left && clientX < right && clientY >= top && clientY < bottom;
    panel ??= Math.max(0, boxes.findIndex(under));
    const { left, top } = boxes[panel];
    return { panel, x: (clientX - left) * devicePixelRatio, y: (clientY - top) * devicePixelRatio };
  }

  listenToPointers(on, { frame, divider }, locate, act);
  listenToKeys(on, { root, frame, divider }, act);
  on(root, "fullscreenchange", arrange);
  listen(model, signal, "change:version", showPictures);
  listen(model, signal, "change:mode", arrange);
  for (const name of ["labels", "pair", "position", "whole", "part"]) listen(model, signal, `change:${name}`, refresh);
  for (const name of ["zoom", "center"]) listen(model, signal, `change:${name}`, lookElsewhere);
  listen(model, signal, "msg:custom", receive);
  showPictures();

  return () => {
    resized.disconnect();
    clearInterval(beating);
    clearTimeout(resting);
    cancelAnimationFrame(refreshing);
    sources.forEach((source) => source.close());
    sources = [];
  };
}

/** The exact number of pixels, if it is told (Safari does not) and can be true (on an emulated screen it is not). */
const exactOr = (exact, about) => (Math.abs(exact - about) < 2 ? exact : Math.round(about));

