/** The start button; and while there is work, what is being done, how far it is, and a way to stop it. */

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el);
  const start = make("button", { type: "button", class: "srlib-button srlib-primary" });
  const cancel = make("button", { type: "button", class: "srlib-button" }, "Cancel");
  const bar = make("progress", { "aria-label": "Progress" });
  const sentence = make("p", { role: "status" }); // read out whenever it changes
  const privacy = make("p", { class: "srlib-note" });
  el.append(make("div", { class: "srlib-job srlib-part" },
    make("div", { class: "srlib-buttons" }, start, cancel), bar, sentence, gone, privacy));
  start.addEventListener("click", () => send({ type: "start" }), { signal });
  cancel.addEventListener("click", () => send({ type: "cancel" }), { signal });

  follow(model, ["label", "ready", "busy", "done", "sentence", "privacy"], () => {
    const [done, busy] = [model.get("done"), model.get("busy")];
    start.textContent = model.get("label");
    start.disabled = !model.get("ready");
    cancel.hidden = bar.hidden = !busy;
    if (done === null) bar.removeAttribute("value"); // at work, but nobody knows how far
    else bar.value = done;
    sentence.textContent = model.get("sentence");
    privacy.textContent = model.get("privacy");
  });
}

export default { render };
