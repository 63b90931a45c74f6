/** One button: Enlarge, then the progress with Cancel, then Download. */

const DOUBLE_CLICK = 500; // milliseconds

function makeJob({ model, signal, on, send }, choose, wanted) {
  const main = make("button", { type: "button", class: "srlib-button srlib-primary" });
  const all = make("button", { type: "button", class: "srlib-button" });
  const bar = make("progress", { "aria-label": "Progress" });
  const cancel = make("button", { type: "button", class: "srlib-button" }, "Cancel");
  const work = make("div", { class: "srlib-work" }, bar, cancel);
  const sentence = make("p", { class: "srlib-sentence", role: "status" }); // read out whenever it changes
  const node = make("div", { class: "srlib-job" }, work, main, all);
  let turned = 0; // when the large button made room for Cancel
  on(cancel, "click", ({ timeStamp }) => timeStamp - turned > DOUBLE_CLICK && send({ type: "cancel" }));
  // A key that is held down presses again and again, and the button turns meanwhile.
  on(node, "keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
  on(main, "click", () => {
    if (model.get("landing")) choose();
    else if (model.get("made")) download("one");
    else send({ type: "start" });
  });
  on(all, "click", () => download("all"));

  let held = false; // the focus was on one of these buttons, and the visitor has taken it nowhere else
  on(document, "focusin", ({ target }) => (held = node.contains(target)));
  on(document, "pointerdown", ({ target }) => (held = node.contains(target)));
  follow(model, signal, ["made", "label", "ready", "busy", "done", "landing", "together"], () => {
    const [made, ready, done, landing, busy] = ["made", "ready", "done", "landing", "busy"].map((name) => model.get(name));
    main.textContent = landing ? "Choose a photo" : model.get("label");
    main.hidden = busy && !made && !ready;
    main.disabled = !landing && !made && !ready;
    all.hidden = landing || model.get("together") < 2;
    all.textContent = `All ${model.get("together")} as a zip`;
    if (busy && work.hidden) turned = performance.now();
    work.hidden = !busy;
    if (done === null) bar.removeAttribute("value"); // running, but nobody knows how far
    else bar.value = done;
    // A button that is hidden or disabled loses the focus; the one in its place gets it.
    const place = main.hidden && busy ? cancel : main;
    const lost = [document.body, main, cancel].includes(document.activeElement) && document.activeElement !== place;
    if (held && lost && !place.hidden && !place.disabled) place.focus();
  });
  follow(model, signal, ["sentence"], () => (sentence.textContent = model.get("sentence")));
  // In the app the results are gone with the page; in a notebook they stay with the kernel.
  if (document.body.matches("[data-voila]")) {
    window.onbeforeunload = (event) => { // not by addEventListener, which the app's template has changed
      if (model.get("unsaved")) event.preventDefault();
    };
  }

  // A file arrives in pieces, each one on request, at the view that requested it.
  const pieces = [];
  let ticket = "";
  function download(what) {
    ticket = uniqueId();
    pieces.length = 0;
    send({ type: "download", what, ...wanted(), start: 0, ticket });
  }
  listen(model, signal, "msg:custom", (message, [piece]) => {
    if (message.ticket !== ticket) return;
    pieces.push(piece);
    if (message.next < message.size) {
      send({ type: "download", start: message.next, ticket });
      return;
    }
    const link = make("a", { href: URL.createObjectURL(new Blob(pieces.splice(0))), download: message.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be copying it
  });
  return { node, sentence };
}
