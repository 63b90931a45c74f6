/** A training as it goes: the loss and PSNR curves, the lines to beat, the pace, and buttons to pause and to stop. */

// The size of a chart and its margins, in units of the drawing.
const WIDTH = 420;
const HEIGHT = 210;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 8;

/** Three to six round numbers from low to high. */
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(n * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return found.map((value) => ({ value, text: value.toFixed(digits) }));
}

/**
 * Draw lines {points: [[x, y], …], kind, dots} and horizontals {y, kind, text} from x = 0 to `end`.
 */
function draw(svg, end, lines, horizontals) {
  svg.replaceChildren();
  const values = [...lines.flatMap(({ points }) => points.map(([, y]) => y)), ...horizontals.map(({ y }) => y)];
  if (!values.length) return;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.12 * (high - low) || 0.05 * Math.abs(high) || 1;
  [low, high] = [low - room, high + room];
  const x = (value) => LEFT + ((WIDTH - LEFT - 4) * value) / end;
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  svg.append(make("svg:rect", { class: "frame", x: LEFT, y: TOP, width: WIDTH - LEFT - 4, height: HEIGHT - TOP - BOTTOM }));
  const write = (text, attributes) => svg.append(make("svg:text", attributes, text));
  for (const { value, text } of ticks(low, high)) write(text, { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" });
  for (const { value, text } of ticks(0, end)) write(text, { x: x(value), y: HEIGHT - 6, "text-anchor": "middle" });
  for (const { y: value, kind, text } of horizontals) {
    svg.append(make("svg:line", { class: `line ${kind}`, x1: LEFT, x2: WIDTH - 4, y1: y(value), y2: y(value) }));
    const above = horizontals.every((other) => other.y <= value); // the upper line is labelled above, the lower one below
    write(text, { x: WIDTH - 8, y: y(value) + (above ? -4 : 13), "text-anchor": "end" });
  }
  for (const { points, kind, dots } of lines) {
    const path = points.map(([px, py], i) => `${i ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
    svg.append(make("svg:path", { class: `line ${kind}`, d: path }));
    if (dots) for (const [px, py] of points) svg.append(make("svg:circle", { class: kind, cx: x(px), cy: y(py), r: 3 }));
  }
}

function chart(title) {
  const svg = make("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  return { svg, figure: make("figure", {}, make("figcaption", {}, title), svg) };
}

function render({ model, el, signal }) {
  const loss = chart("Loss by step: training (line), validation (dots)");
  const psnr = chart("PSNR on the validation images, dB");
  const bar = make("progress");
  const pace = make("p", { class: "pace" });
  const sentence = make("p", { role: "status" }); // read out whenever it changes
  const button = { type: "button", class: "jupyter-widgets jupyter-button widget-button" };
  const hold = make("button", button);
  const stop = make("button", button, "Stop, keep the best");
  const theme = document.body.dataset.jpThemeLight === "false" ? "dark" : "light";
  const root = make("div", { class: "srlib-training", "data-theme": theme },
    make("div", { class: "srlib-training-charts" }, loss.figure, psnr.figure), bar, pace, sentence, hold, stop);
  el.append(root);

  function showCurves() {
    const [losses, epochs, bicubic] = ["losses", "epochs", "bicubic"].map((name) => model.get(name));
    // the curves fill the width from the first step on
    const end = Math.max(losses.at(-1)?.[0] ?? 0, epochs.at(-1)?.[0] ?? 0) || model.get("steps");
    const valid = epochs.map(([step, value]) => [step, value]);
    draw(loss.svg, end, [{ points: losses, kind: "train" }, { points: valid, kind: "valid", dots: true }], []);
    const scores = epochs.map(([step, , value]) => [step, value]);
    const lines = bicubic === null ? [] : [{ y: bicubic, kind: "bicubic", text: "bicubic" }];
    if (scores.length) lines.push({ y: scores[0][1], kind: "start", text: "before fine-tuning" });
    draw(psnr.svg, end, [{ points: scores, kind: "valid", dots: true }], lines);
    const last = epochs.at(-1);
    loss.svg.setAttribute("aria-label", last ? `Validation loss: ${last[1].toFixed(4)} after step ${last[0]}` : "No loss yet");
    psnr.svg.setAttribute("aria-label", last ? `PSNR: ${last[2].toFixed(2)} dB; bicubic: ${bicubic.toFixed(2)} dB` : "No PSNR yet");
  }

  function showWords() {
    const state = model.get("state");
    bar.max = model.get("steps");
    bar.value = model.get("done");
    bar.setAttribute("aria-label", `Progress ${model.get("title")}`.trim());
    const outlook = { running: model.get("left"), paused: "paused" }[state];
    const progress = [`step ${model.get("done")} of ${model.get("steps")}`, model.get("pace"), outlook].filter(Boolean).join(" · ");
    pace.textContent = [model.get("title"), progress].filter(Boolean).join(": ");
    sentence.textContent = model.get("sentence");
    hold.textContent = state === "paused" ? "Resume" : "Pause";
    hold.disabled = stop.disabled = !["running", "paused"].includes(state);
    root.dataset.state = state;
  }

  hold.addEventListener("click", () => model.send({ type: model.get("state") === "paused" ? "go on" : "pause" }), { signal });
  stop.addEventListener("click", () => model.send({ type: "stop" }), { signal });
  follow(model, signal, ["losses", "epochs", "bicubic"], showCurves);
  follow(model, signal, ["steps", "done", "pace", "left", "sentence", "state", "title"], showWords);
}
