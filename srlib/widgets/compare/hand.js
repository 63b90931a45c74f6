/** Mouse, fingers, wheel and keys, turned into what the slider can do. */

/**
 * Listen to the frame and its divider.
 *
 * on(target, type, handler, options) adds a listener.  locate(event, panel) says where an event is: { panel, x, y } in screen
 * pixels of a panel, that under the event unless one is named.  act: see slider.js.
 */
function listenToPointers(on, { frame, divider }, locate, act) {
  on(divider, "pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  });
  on(divider, "pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) act.divideAt(locate(event, 0));
  });

  // One finger or the mouse pans, two fingers pan and zoom: the mean of the pointers moves, their spread grows.  Over a picture
  // that is seen whole there is nothing to pan, and the divider follows.
  const pointers = new Map();
  function grasp() {
    const points = [...pointers.values()];
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / points.length;
    const [x, y] = [mean(points.map((p) => p.x)), mean(points.map((p) => p.y))];
    return { x, y, spread: mean(points.map((p) => Math.hypot(p.x - x, p.y - y))) };
  }
  on(frame, "pointerdown", (event) => {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, locate(event));
  });
  on(frame, "pointermove", (event) => {
    const point = locate(event, pointers.get(event.pointerId)?.panel);
    act.pointAt(point);
    if (!pointers.has(event.pointerId)) return;
    const before = grasp();
    pointers.set(event.pointerId, point);
    const after = grasp();
    const by = { x: after.x - before.x, y: after.y - before.y };
    if (pointers.size > 1) act.look({ factor: before.spread ? after.spread / before.spread : 1, at: before, by });
    else act.drag(by);
  });
  for (const type of ["pointerup", "pointercancel"]) on(frame, type, (event) => pointers.delete(event.pointerId));
  on(frame, "pointerleave", () => act.pointAt(null));
  on(frame, "dblclick", act.reset);

  // The wheel scrolls the page until the reader has clicked the picture or tabbed to it; the app has nothing to scroll.
  const zoomWithWheel = (event) => {
    if (!frame.matches(":focus-within") && !document.body.matches("[data-voila]")) return;
    event.preventDefault();
    event.stopPropagation();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1);
    const pinch = event.ctrlKey; // how a touchpad tells that two fingers spread, in small steps
    act.look({ factor: Math.exp(-pixels / (pinch ? 100 : 500)), at: locate(event) });
  };
  on(frame, "wheel", zoomWithWheel, { passive: false });
}

/** Listen to keys, wherever in the slider the focus is; arrows and Space mean something on the frame and the divider only. */
function listenToKeys(on, { root, frame, divider }, act) {
  const anywhere = {
    "+": act.zoomIn,
    "=": act.zoomIn,
    "-": act.zoomOut,
    0: act.reset,
    z: act.trueSize,
    m: act.nextMode,
    p: act.togglePlaying,
    l: act.toggleLoupe,
    f: act.toggleFullScreen,
    "?": act.toggleHelp,
  };
  const move = (x, y) => (event) => act.move(x, y, event.shiftKey);
  const onFrame = {
    " ": act.nextPicture,
    ArrowLeft: move(1, 0),
    ArrowRight: move(-1, 0),
    ArrowUp: move(0, 1),
    ArrowDown: move(0, -1),
  };
  const more = (event) => act.divideBy(event.shiftKey ? 0.1 : 0.01);
  const less = (event) => act.divideBy(event.shiftKey ? -0.1 : -0.01);
  const onDivider = {
    ArrowLeft: less,
    ArrowDown: less,
    ArrowRight: more,
    ArrowUp: more,
    PageDown: () => act.divideBy(-0.1),
    PageUp: () => act.divideBy(0.1),
    Home: () => act.divideBy(-1),
    End: () => act.divideBy(1),
  };
  const own = new Map([[frame, onFrame], [divider, onDivider]]);

  on(root, "keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select")) return;
    const keys = { ...anywhere, ...own.get(event.target) };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const digit = /^(?:Digit|Numpad)([1-4])$/.exec(event.code)?.[1]; // the key, since Shift+1 is another sign on each keyboard
    if (Object.hasOwn(keys, key)) keys[key](event);
    else if (digit) act.choose(event.shiftKey ? 0 : 1, digit - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
