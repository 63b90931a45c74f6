/**
 * Choose, drop or paste photographs, or take a sample; and see the chosen ones.
 *
 * A file travels in pieces, because a Jupyter server silently drops messages above 10 MB.
 */

const PIECE = 4 * 2 ** 20; // bytes

function makeUpload({ model, el, signal, on, send }) {
  const input = make("input", {
    type: "file", multiple: true, accept: "image/*,.tif,.tiff", "aria-label": "Choose photographs",
  });
  const area = make("label", { class: "srlib-drop" }, input,
    make("span", { class: "srlib-button" }, "Choose photographs"), make("span", {}, "or drop or paste them anywhere"));
  const problem = make("p", { class: "srlib-problem", role: "status" });
  const tray = make("ul", { class: "srlib-tray", "aria-label": "Chosen photographs" });
  const samples = make("div", { class: "srlib-samples", role: "group", "aria-label": "Sample photographs" });
  const shelf = make("div", { class: "srlib-shelf" }, make("span", {}, "Or try one of these"), samples);

  async function sendFiles(files) {
    const most = model.get("most");
    const gesture = uniqueId(); // files that are chosen together replace the previous ones
    for (const [number, file] of files.slice(0, most).entries()) {
      const head = { gesture, number, name: file.name, size: file.size, beyond: files.length - most };
      if (file.size > model.get("limit")) {
        send({ type: "refused", ...head });
        continue;
      }
      let start = 0;
      do {
        const piece = await file.slice(start, start + PIECE).arrayBuffer();
        send({ type: "piece", ...head, start }, [piece]);
        start += PIECE;
      } while (start < file.size);
    }
  }

  on(input, "change", () => {
    sendFiles([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  // The whole page takes a drop: beside a small field the browser would leave the page and open the file.
  const overlay = make("div", { class: "srlib-overlay", "aria-hidden": "true" }, "Drop your photographs anywhere");
  overlay.hidden = true;
  document.body.append(overlay);
  signal.addEventListener("abort", () => overlay.remove());
  const seen = () => el.isConnected && el.getClientRects().length > 0;
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

  follow(model, signal, ["problem"], () => (problem.textContent = model.get("problem")));
  follow(model, signal, ["photographs"], () => {
    tray.replaceChildren(...model.get("photographs").map(({ name, text, thumbnail }, index) => {
      const remove = make("button", {
        type: "button", class: "srlib-remove", "aria-label": `Remove ${name}`, title: "Remove",
      }, "×");
      on(remove, "click", () => send({ type: "remove", index }));
      return make("li", {}, make("img", { src: thumbnail, alt: "" }),
        make("span", { class: "srlib-name" }, make("b", { title: name }, name), make("span", {}, text)), remove);
    }));
  });
  follow(model, signal, ["samples"], () => {
    shelf.hidden = model.get("samples").length === 0;
    samples.replaceChildren(...model.get("samples").map(({ name, thumbnail }, index) => {
      const button = make("button", { type: "button", "aria-label": name, title: name },
        make("img", { src: thumbnail, alt: "" }));
      on(button, "click", () => send({ type: "sample", index }));
      return button;
    }));
  });
  follow(model, signal, ["samples", "sample"], () => {
    [...samples.children].forEach((button, index) => button.setAttribute("aria-pressed", index === model.get("sample")));
  });
  return make("div", { class: "srlib-upload" }, area, problem, tray, shelf);
}
