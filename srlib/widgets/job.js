/** What a job is doing: a sentence, a bar while it works, and a button for the file that it made. */

function render({ model, el, signal }) {
  const sentence = document.createElement("p");
  sentence.setAttribute("role", "status"); // read out whenever it changes
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", "Progress");
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button";
  const root = document.createElement("div");
  root.className = "srlib-job";
  root.append(sentence, bar, button);
  el.append(root);

  function show() {
    const [done, fileName] = [model.get("done"), model.get("file_name")];
    sentence.textContent = model.get("sentence");
    bar.hidden = done === null;
    bar.value = done ?? 0;
    button.hidden = !fileName;
    button.textContent = `Download ${fileName}`;
  }
  for (const name of ["sentence", "done", "file_name"]) model.on(`change:${name}`, show);
  show();

  // The file is sent when it is asked for, and kept only by the view that asked.
  let asked = false;
  button.addEventListener("click", () => {
    asked = true;
    model.send({ type: "download" });
  }, { signal });
  model.on("msg:custom", (message, [bytes]) => {
    if (!asked) return;
    asked = false;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = message.file_name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may still be copying it
  });
}

export default { render };
