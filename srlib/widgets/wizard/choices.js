/** The factor, and the kind of picture. */

function makeChoices({ model, signal, on, send }, openMore) {
  const group = uniqueId();
  const scales = make("div", { class: "srlib-scales", role: "radiogroup", "aria-label": "How much larger" });
  const title = make("b", {});
  const reason = make("span", {});
  const kind = make("button", { type: "button", class: "srlib-kind", "aria-haspopup": "true" },
    title, make("span", {}, reason, " ", make("u", {}, "Change")));
  on(kind, "click", openMore);

  follow(model, signal, ["scales", "chosen"], () => {
    const offers = model.get("scales");
    if (scales.dataset.values !== offers.map(({ value }) => value).join()) { // one that is replaced loses the focus
      scales.dataset.values = offers.map(({ value }) => value).join();
      scales.replaceChildren(...offers.map(({ value }) => {
        const input = make("input", { type: "radio", name: group, value: `${value}` });
        on(input, "change", () => send({ type: "choose", scale: value }));
        return make("label", {}, input, make("span", {}));
      }));
    }
    [...scales.children].forEach((label, index) => {
      const { value, text, refused, reason, made } = offers[index];
      label.firstChild.checked = value === model.get("chosen").scale;
      label.firstChild.disabled = refused;
      label.classList.toggle("srlib-large", Boolean(reason));
      label.lastChild.textContent = text;
      label.classList.toggle("srlib-kept", made);
      label.title = reason || (made ? "Enlarged already" : "");
    });
  });
  follow(model, signal, ["kind"], () => {
    title.textContent = model.get("kind").title;
    reason.textContent = `${model.get("kind").reason}.`;
    kind.title = model.get("kind").explanation ?? "";
  });
  return { scales, kind };
}
