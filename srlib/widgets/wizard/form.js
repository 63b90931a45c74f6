/** The column of choices: photographs, size, network, and the button. */

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el, signal);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const page = { model, el, signal, on, send };
  el.append(make("div", { class: "srlib-part srlib-form" }, makeUpload(page), makeChoices(page), makeJob(page), gone));
  requestAnimationFrame(() => requestAnimationFrame(() => send({ type: "shown" }))); // after the first paint
}
