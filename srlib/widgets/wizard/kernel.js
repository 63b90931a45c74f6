/** Messages to the kernel, and the warning when it does not answer. */

const PATIENCE = 15_000; // milliseconds until a silent kernel is mentioned

/**
 * A function that sends a message, and a paragraph, hidden by the style sheet, that appears when the kernel does not
 * answer or when Jupyter knows that it is gone.
 */
function talk(model, el, signal) {
  const gone = make("p", { class: "srlib-gone", role: "status" },
    "The program behind this page does not answer: it is busy, or it was restarted. If this stays, reload the page or run the cell again.");
  let timer;
  listen(model, signal, "msg:custom", ({ heard }) => {
    if (!heard) return;
    clearTimeout(timer);
    el.classList.remove("srlib-silent");
  });
  function send(message, buffers = []) {
    model.send(message, undefined, buffers);
    clearTimeout(timer);
    timer = setTimeout(() => el.classList.add("srlib-silent"), PATIENCE);
  }
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { send, gone };
}
