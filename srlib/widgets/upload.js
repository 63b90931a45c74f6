/**
 * A file chooser that also takes what is dropped on it.
 *
 * The file travels in pieces: a Jupyter server drops a message above 10 MB without a word to anybody.
 */

const PIECE = 4 * 2 ** 20; // bytes

function render({ model, el, signal }) {
  const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*";
  const button = document.createElement("span");
  button.textContent = "Choose a photograph";
  button.className = "srlib-upload-button";
  const area = document.createElement("label");
  area.className = "srlib-upload";
  area.append(input, button, " or drop one here");
  el.append(area);

  async function send(file) {
    if (!file || input.disabled) return;
    if (file.size > model.get("limit")) {
      model.send({ refused: file.name, size: file.size });
      return;
    }
    let start = 0;
    do {
      const piece = await file.slice(start, start + PIECE).arrayBuffer();
      model.send({ name: file.name, start, size: file.size }, undefined, [piece]);
      start += PIECE;
    } while (start < file.size);
  }

  on(input, "change", () => {
    send(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  on(area, "dragover", (event) => {
    event.preventDefault(); // else the browser leaves the page to show the file
    area.classList.add("srlib-upload-over");
  });
  on(area, "dragleave", () => area.classList.remove("srlib-upload-over"));
  on(area, "drop", (event) => {
    event.preventDefault();
    area.classList.remove("srlib-upload-over");
    send(event.dataTransfer.files[0]);
  });

  const showDisabled = () => {
    input.disabled = model.get("disabled");
    area.classList.toggle("srlib-upload-disabled", input.disabled);
  };
  model.on("change:disabled", showDisabled);
  showDisabled();
}

export default { render };
