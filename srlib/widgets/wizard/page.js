/** The photograph itself over the stage, as long as that shows another one. */
function makeVeil({ model, signal }) {
  const veil = make("div", { class: "srlib-veil" });
  follow(model, signal, ["veil"], () => {
    if (model.get("veil")) veil.style.backgroundImage = `url("${model.get("veil")}")`;
    veil.classList.toggle("srlib-shown", Boolean(model.get("veil")));
  });
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
  let told = 0;
  let waiting = 0;
  const tell = () => {
    const shape = over.clientWidth / over.clientHeight;
    if (!shape || Math.abs(shape - told) < 0.1) return;
    told = shape;
    send({ type: "shown", shape });
  };
  const resized = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(tell, told ? 300 : 0);
  });
  resized.observe(over);
  signal.addEventListener("abort", () => resized.disconnect());
}
