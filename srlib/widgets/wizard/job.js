/** The start button; and during the work its state, its progress, and a way to stop it. */

function makeJob({ model, signal, on, send }) {
  const start = make("button", { type: "button", class: "srlib-button srlib-primary" });
  const cancel = make("button", { type: "button", class: "srlib-button" }, "Cancel");
  const bar = make("progress", { "aria-label": "Progress" });
  const sentence = make("p", { role: "status" }); // read out whenever it changes
  const privacy = make("p", { class: "srlib-note" });
  on(start, "click", () => send({ type: "start" }));
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
  return make("div", { class: "srlib-job" }, make("div", { class: "srlib-buttons" }, start, cancel), bar, sentence, privacy);
}
