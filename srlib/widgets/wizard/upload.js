/**
 * Choose, drop or paste photographs, or take a sample; and see what was chosen.
 *
 * A file travels in pieces: a Jupyter server drops a message above 10 MB without a word to anybody.
 */

const PIECE = 4 * 2 ** 20; // bytes

function render({ model, el, signal }) {
  const { send, gone } = talk(model, el);
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const input = make("input", { type: "file", multiple: true, accept: "image/*,.tif,.tiff", "aria-label": "Choose photographs" });
  const area = make("label", { class: "srlib-drop" }, input,
    make("span", { class: "srlib-button" }, "Choose photographs"), make("span", {}, "or drop or paste them here"));
  const sentence = make("p", { class: "srlib-problem", role: "status" });
  const tray = make("ul", { class: "srlib-tray", "aria-label": "Chosen photographs" });
  const samples = make("div", { class: "srlib-samples", role: "group", "aria-label": "Sample photographs" });
  const shelf = make("div", { class: "srlib-shelf" }, make("span", {}, "Or try one of these"), samples);
  el.append(make("div", { class: "srlib-upload srlib-part" }, area, sentence, tray, shelf, gone));

  async function sendFiles(files) {
    const limit = model.get("limit");
    const gesture = `${Date.now()}`; // what is chosen together takes the place of what was there
    const [first, beyond] = [[...files].slice(0, model.get("most")), files.length - model.get("most")];
    for (const [number, file] of first.entries()) {
      const head = { type: "piece", gesture, number, name: file.name, size: file.size, beyond };
      if (file.size > limit) {
        send({ ...head, type: "refused" });
        continue;
      }
      let start = 0;
      do {
        const piece = await file.slice(start, start + PIECE).arrayBuffer();
        send({ ...head, start }, [piece]);
        start += PIECE;
      } while (start < file.size);
    }
  }

  on(input, "change", () => {
    sendFiles([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  on(area, "dragover", (event) => {
    event.preventDefault(); // else the browser leaves the page to show the file
    area.classList.add("srlib-over");
  });
  on(area, "dragleave", () => area.classList.remove("srlib-over"));
  on(area, "drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    area.classList.remove("srlib-over");
    sendFiles([...event.dataTransfer.files]);
  });
  on(document, "paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const elsewhere = event.target.closest?.("input[type=text], textarea, [contenteditable=true]");
    if (!files.length || elsewhere || !el.isConnected) return;
    event.preventDefault();
    sendFiles(files);
  });

  follow(model, ["sentence"], () => {
    sentence.textContent = model.get("sentence");
  });
  follow(model, ["photographs"], () => {
    tray.replaceChildren(...model.get("photographs").map(({ name, text, thumbnail }, index) => {
      const remove = make("button", { type: "button", class: "srlib-remove", "aria-label": `Remove ${name}`, title: "Remove" }, "×");
      on(remove, "click", () => send({ type: "remove", index }));
      return make("li", {}, make("img", { src: thumbnail, alt: "" }),
        make("span", { class: "srlib-name" }, make("b", { title: name }, name), make("span", {}, text)), remove);
    }));
  });
  follow(model, ["samples", "sample"], () => {
    shelf.hidden = model.get("samples").length === 0;
    samples.replaceChildren(...model.get("samples").map(({ name, thumbnail }, index) => {
      const pressed = `${index === model.get("sample")}`;
      const button = make("button", { type: "button", "aria-pressed": pressed, "aria-label": name, title: name },
        make("img", { src: thumbnail, alt: "" }));
      on(button, "click", () => send({ type: "sample", index }));
      return button;
    }));
  });
}

export default { render };
