/** The photograph itself over the stage, until that is ready to show it. */
function makeVeil({ model, el, signal }) {
  const veil = make("div", { class: "srlib-veil" });
  const show = () => {
    const { picture, version } = model.get("veil");
    const ready = Number(el.closest(".srlib-wizard")?.querySelector(".srlib-compare")?.dataset.ready);
    veil.classList.toggle("srlib-shown", Boolean(picture) && ready < version);
    if (picture) veil.style.backgroundImage = `url("${picture}")`;
  };
  follow(model, signal, ["veil"], show);
  const readied = new MutationObserver(show);
  readied.observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-ready"] });
  signal.addEventListener("abort", () => readied.disconnect());
  return veil;
}

/** The page around the comparison: what lies over it, and the bar below it. */

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el, signal);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const page = { model, el, signal, on, send };
  const upload = makeUpload(page);
  const more = makeMore(page);
  const choices = makeChoices(page, more.open);
  const job = makeJob(page, upload.choose, more.wanted);
  job.node.append(more.button);
  el.classList.add("srlib-page");
  const over = make("div", { class: "srlib-over srlib-part" }, upload.problem, gone);
  el.append(
    makeVeil(page), over, upload.landing, job.sentence, makeHonesty(page),
    make("div", { class: "srlib-bar srlib-part", role: "group", "aria-label": "Enlarge" }, upload.input,
      makeStrip(page, upload.choose), choices.scales, choices.kind, job.node, more.panel),
  );

  /** After the first paint, and when the stage has changed its shape, which a preview fills. */
  let toldShape = 0;
  let waiting = 0;
  const tell = () => {
    const shape = over.clientWidth / over.clientHeight;
    if (!shape || Math.abs(shape - toldShape) < 0.1) return;
    toldShape = shape;
    send({ type: "shown", shape });
  };
  const resized = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(tell, toldShape ? 300 : 0);
  });
  resized.observe(over);
  signal.addEventListener("abort", () => resized.disconnect());
}
