/** The start button; and during the work its state, its progress, and a way to stop it. */

function makeJob({ model, el, signal, on, send }) {
  const start = make("button", { type: "button", class: "srlib-button srlib-primary" });
  const cancel = make("button", { type: "button", class: "srlib-button" }, "Cancel");
  const bar = make("progress", { "aria-label": "Progress" });
  const sentence = make("p", { role: "status" }); // read out whenever it changes
  const privacy = make("p", { class: "srlib-note" });
  let awaited = false; // whether this page has started a job whose result it has not shown
  on(start, "click", () => {
    awaited = true;
    send({ type: "start" });
  });
  on(cancel, "click", () => send({ type: "cancel" }));

  follow(model, signal, ["label", "ready", "busy", "done", "sentence", "privacy"], () => {
    const done = model.get("done");
    start.textContent = model.get("label");
    start.disabled = !model.get("ready");
    cancel.hidden = bar.hidden = !model.get("busy");
    if (done === null) bar.removeAttribute("value"); // running, but nobody knows how far
    else bar.value = done;
    sentence.textContent = model.get("sentence");
    privacy.textContent = model.get("privacy");
  });
  listen(model, signal, "change:shown", () => {
    const stage = el.closest(".srlib-wizard")?.querySelector(".srlib-stage");
    if (!awaited || !stage) return;
    awaited = false;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const goThere = (triesLeft) => {
      const ready = stage.querySelector(".srlib-compare[data-ready]"); // before that the page may be too short to scroll
      if (!ready && triesLeft) return setTimeout(goThere, 100, triesLeft - 1);
      const { top } = stage.getBoundingClientRect();
      if (top > innerHeight / 4) stage.scrollIntoView({ block: "start", behavior: still ? "instant" : "smooth" });
    };
    goThere(100);
  });
  return make("div", { class: "srlib-job" }, make("div", { class: "srlib-buttons" }, start, cancel), bar, sentence, privacy);
}
