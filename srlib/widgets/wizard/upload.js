/**
 * Choose, drop or paste photographs; and the invitation to do so, with the samples, over the first picture.
 *
 * A file travels in pieces, because a Jupyter server silently drops messages above 10 MB.
 */

const PIECE = 4 * 2 ** 20; // bytes
const HERE = ["127.0.0.1", "[::1]", "localhost"];

function makeUpload({ model, el, signal, on, send }) {
  const input = make("input", {
    type: "file", multiple: true, accept: "image/*,.tif,.tiff,.heic,.heif,.hif,.jxl", "aria-label": "Photographs", hidden: true,
  });
  const choose = () => input.click();
  const sentence = make("span", {});
  const close = make("button", { type: "button", class: "srlib-button" }, "Close");
  const problem = make("p", { class: "srlib-problem", role: "alert", hidden: true }, sentence, close);
  on(close, "click", () => send({ type: "dismiss" }));
  const computer = HERE.includes(location.hostname) ? "this computer" : "the computer that runs this page";
  const samples = make("div", { class: "srlib-samples", role: "group", "aria-label": "Sample photographs" });
  const open = make("button", { type: "button", class: "srlib-button srlib-primary" }, "Choose a photo");
  const landing = make("div", { class: "srlib-landing srlib-part" },
    make("p", { class: "srlib-invitation" }, make("b", { class: "srlib-mouse" }, "Drop a photo, paste, or "), open),
    samples, make("p", { class: "srlib-private" }, `Or try one of these. Your photos stay on ${computer}.`));
  on(open, "click", choose);

  async function sendFiles(files) {
    const most = model.get("most");
    const gesture = uniqueId(); // files that are chosen together belong together
    for (const file of files.slice(0, most)) {
      const head = { gesture, name: file.name, size: file.size, beyond: files.length - most };
      let start = 0;
      do {
        const piece = await file.slice(start, start + PIECE).arrayBuffer();
        send({ type: "piece", ...head, start }, [piece]);
        start += PIECE;
      } while (start < file.size && file.size <= model.get("limit")); // a file that is too large is refused by its head
    }
  }

  on(input, "change", () => {
    sendFiles([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  // The whole page takes a drop: beside a small field the browser would leave the page and open the file.
  const overlay = make("div", { class: "srlib-part srlib-overlay", "aria-hidden": "true" }, "Drop your photographs anywhere");
  overlay.hidden = true;
  document.body.append(overlay);
  signal.addEventListener("abort", () => overlay.remove());
  const seen = () => [...el.children].some((child) => child.getClientRects().length > 0); // el itself has no box
  /** Files that are dragged over this page, and not over JupyterLab's own list of files. */
  const takes = (event) =>
    seen() && event.dataTransfer?.types.includes("Files") && !event.target.closest?.(".jp-FileBrowser");
  on(document, "dragover", (event) => {
    if (!takes(event)) return;
    event.preventDefault();
    overlay.hidden = false;
  });
  on(document, "dragleave", (event) => {
    if (!event.relatedTarget) overlay.hidden = true; // the pointer has left the window
  });
  on(document, "drop", (event) => {
    overlay.hidden = true;
    if (!takes(event)) return;
    event.preventDefault();
    event.stopPropagation();
    sendFiles([...event.dataTransfer.files]);
  });
  on(document, "paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const elsewhere = event.target.closest?.("input[type=text], textarea, [contenteditable=true]");
    if (!files.length || elsewhere || !seen()) return;
    event.preventDefault();
    sendFiles(files);
  });

  follow(model, signal, ["problem"], () => {
    sentence.textContent = model.get("problem");
    problem.hidden = !model.get("problem");
  });
  follow(model, signal, ["landing"], () => {
    const hadFocus = landing.contains(document.activeElement);
    landing.hidden = !model.get("landing");
    if (hadFocus && landing.hidden) el.querySelector(".srlib-scales :checked")?.focus(); // the next choice
  });
  follow(model, signal, ["samples"], () => {
    samples.replaceChildren(...model.get("samples").map(({ name, thumbnail }, index) => {
      const button = make("button", { type: "button", "aria-label": name, title: name },
        make("img", { src: thumbnail, alt: "" }));
      on(button, "click", () => send({ type: "sample", index }));
      return button;
    }));
  });
  return { input, choose, problem, landing };
}
