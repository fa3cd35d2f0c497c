// The page of `atrous serve`: everything comes from the service that serves it.

const $ = (id) => document.getElementById(id);

/** What is shown. */
const state = {
  models: [],
  file: null,
  name: "photograph",
  width: 0,
  height: 0,
  view: "classes",
  /** The networks by side; `b` is null where nothing is compared. */
  a: null,
  b: null,
  /** What each network found: labels, classes, probabilities. */
  found: new Map(),
  hidden: new Set(),
  pixel: null,
  /** The last explanation of each view. */
  explained: { field: null, similar: null },
  split: 0.5,
};

// Asking

let token = sessionStorage.getItem("token") ?? "";
const running = new Map();
let busy = 0;

/** A refusal of the service. */
class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

function setBusy(step) {
  busy += step;
  $("busy").hidden = busy === 0;
  $("stage").setAttribute("aria-busy", String(busy > 0));
}

/** Asks the service; a later request of the same kind ends an earlier one. */
async function ask(path, { kind, parameters = {}, body, accept = "application/json" } = {}) {
  running.get(kind)?.abort();
  const control = new AbortController();
  if (kind) running.set(kind, control);
  setBusy(1);
  try {
    for (let attempt = 0; ; attempt++) {
      const headers = { Accept: accept };
      if (token) headers.Authorization = `Bearer ${token}`;
      if (body) headers["Content-Type"] = "application/octet-stream";
      const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, {
        method: body ? "POST" : "GET", headers, body, signal: control.signal,
      });
      if (answer.ok) return answer;
      if (answer.status === 401) {
        await askForToken();
        continue;
      }
      if (answer.status === 503 && attempt < 5) {
        const seconds = Math.min(10, Number(answer.headers.get("Retry-After")) || 1);
        await new Promise((done) => setTimeout(done, seconds * 1000));
        continue;
      }
      const problem = await answer.json().catch(() => ({}));
      throw new Refusal(answer.status, problem.detail ?? answer.statusText);
    }
  } finally {
    setBusy(-1);
    if (running.get(kind) === control) running.delete(kind);
  }
}

function askForToken() {
  const dialog = $("token-dialog");
  return new Promise((done) => {
    if (!dialog.open) dialog.showModal();
    dialog.addEventListener("close", () => {
      token = $("token").value;
      sessionStorage.setItem("token", token);
      done();
    }, { once: true });
  });
}

function bytes(base64) {
  const text = atob(base64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

function say(text) {
  $("status").textContent = text;
}

function clearProblem() {
  $("problem").hidden = true;
  $("problem").textContent = "";
}

function showProblem(error) {
  if (error?.name === "AbortError") return;
  $("problem").hidden = false;
  $("problem").textContent =
    error instanceof Refusal ? `Refused (${error.status}): ${error.message}` : `Failed: ${error.message}`;
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

// Photographs

/** Takes a photograph: shows it at once, and what the networks find when they have. */
async function open(file, name) {
  for (const control of running.values()) control.abort();
  Object.assign(state, { file, name: name.replace(/\.[^.]*$/, "") || "photograph", pixel: null });
  state.found.clear();
  state.explained = { field: null, similar: null };
  clearProblem();
  $("start").hidden = true;
  $("work").hidden = $("panel").hidden = false;
  clearExplanation();
  showPixel();
  // Kinds that a browser does not show, such as TIFF, come back from the service.
  const picture = await createImageBitmap(file).catch(() => null);
  if (file !== state.file) return;
  $("stage").hidden = !picture;
  if (picture) showPhoto(picture);
  await predictAll(!picture);
}

function showPhoto(picture) {
  $("stage").hidden = false;
  Object.assign(state, { width: picture.width, height: picture.height });
  for (const id of ["photo", "overlay-a", "overlay-b", "heat"]) {
    $(id).width = picture.width;
    $(id).height = picture.height;
  }
  $("stage").style.setProperty("--ratio", picture.width / picture.height);
  $("marks").setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
  $("photo").getContext("2d").drawImage(picture, 0, 0);
  $("stage").setAttribute(
    "aria-label", `Photograph ${state.name}, ${picture.width} by ${picture.height} pixels`);
  drawMarks();
}

async function predictAll(needsPicture = false) {
  try {
    for (const model of [state.a, state.b]) {
      if (model && !state.found.has(model)) await predict(model, needsPicture);
    }
    drawOverlays();
    showLegend();
    showPixel();
    const found = state.found.get(state.a);
    if (found) {
      const list = found.classes.slice(0, 4).map((entry) => `${entry.name} ${percent(entry.share)}`);
      say(`Segmented: ${list.join(", ")}.`);
    }
  } catch (error) {
    showProblem(error);
  }
}

async function predict(model, needsPicture) {
  const file = state.file;
  const include = `labels,probabilities${needsPicture ? ",image" : ""}`;
  // Enough for a pointer, and no more than a few megabytes.
  const numbers = modelNamed(model).classes.length * (state.width * state.height || 1e6);
  const step = Math.min(64, Math.max(2, Math.ceil(Math.sqrt(numbers / 2e6))));
  let answer = await ask("v1/predict", {
    kind: `predict ${model}`, body: file, parameters: { model, format: "json", include, step },
  }).then((answer) => answer.json());
  if (file !== state.file) return;
  // A network may be one for photographs that are not turned as their file says.
  if (!answer.image && (answer.width !== state.width || answer.height !== state.height)) {
    return predict(model, true);
  }
  if (answer.image) {
    showPhoto(await createImageBitmap(new Blob([bytes(answer.image)], { type: "image/png" })));
  }
  const labels = await readLabels(bytes(answer.labels), answer.width, answer.height);
  const { probabilities } = answer;
  state.found.set(model, {
    ...answer, labels, image: null,
    probabilities: { ...probabilities, data: null, levels: bytes(probabilities.data) },
  });
}

/** The classes of all pixels from a grey PNG. */
async function readLabels(png, width, height) {
  const picture = await createImageBitmap(new Blob([png], { type: "image/png" }), {
    colorSpaceConversion: "none", premultiplyAlpha: "none",
  });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const labels = new Uint8Array(width * height);
  for (let i = 0; i < labels.length; i++) labels[i] = pixels[4 * i];
  return labels;
}

// Drawing

const inferno = [
  0x000003, 0x0a0723, 0x200c4a, 0x3c0965, 0x570f6d, 0x70196e, 0x892269, 0xa32b61, 0xbb3754,
  0xd14643, 0xe45a31, 0xf1721d, 0xf98e08, 0xfbac10, 0xf8cb34, 0xf1e968, 0xfcfea4,
];

/** The colour of a level from 0 to 1: [red, green, blue]. */
function heatColor(level) {
  const place = Math.max(0, Math.min(1, level)) * (inferno.length - 1);
  const index = Math.min(Math.floor(place), inferno.length - 2);
  const share = place - index;
  return [16, 8, 0].map((shift) => {
    const [a, b] = [(inferno[index] >> shift) & 255, (inferno[index + 1] >> shift) & 255];
    return Math.round(a * (1 - share) + b * share);
  });
}

const modelNamed = (name) => state.models.find((model) => model.name === name);
const rgb = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

function drawOverlay(canvas, name) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  const found = name && state.found.get(name);
  if (!found) return;
  const table = new Uint32Array(256);
  const little = new Uint8ClampedArray(table.buffer);
  for (const entry of modelNamed(name).classes) {
    if (state.hidden.has(entry.name)) continue;
    little.set([...rgb(entry.color), 255], 4 * entry.index);
  }
  const image = context.createImageData(found.width, found.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[found.labels[i]];
  context.putImageData(image, 0, 0);
}

function drawOverlays() {
  drawOverlay($("overlay-a"), state.a);
  drawOverlay($("overlay-b"), state.b);
  applyView();
}

function applyView() {
  const explaining = state.view !== "classes";
  const shown = explaining ? state.explained[state.view] : null;
  const compared = Boolean(state.b) && !explaining;
  const opacity = $("opacity").value / 100;
  $("stage").classList.toggle("explaining", Boolean(shown));
  for (const id of ["overlay-a", "overlay-b"]) $(id).style.opacity = explaining ? 0 : opacity;
  $("heat").style.opacity = shown ? Math.max(0.15, opacity * 1.4) : 0;
  $("overlay-a").style.clipPath = compared ? `inset(0 ${100 - 100 * state.split}% 0 0)` : "none";
  $("overlay-b").style.clipPath = `inset(0 0 0 ${100 * state.split}%)`;
  $("overlay-b").hidden = !compared;
  for (const id of ["divider", "name-a", "name-b", "split-row"]) $(id).hidden = !compared;
  $("divider").style.left = `${100 * state.split}%`;
  $("name-a").textContent = state.a;
  $("name-b").textContent = state.b;
  drawHeat(shown);
  drawMarks();
}

function drawHeat(shown) {
  const canvas = $("heat");
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!shown) return;
  const { width, height, levels, fades, part } = shown;
  const small = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i];
    image.data.set(heatColor(level), 4 * i);
    image.data[4 * i + 3] = 255 * (fades ? Math.min(1, 2.2 * level) : 0.85);
  }
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, part.x, part.y, part.width, part.height);
}

const svgNames = "http://www.w3.org/2000/svg";

function svg(parent, kind, attributes) {
  const element = document.createElementNS(svgNames, kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

/** The pixel, and the star of the atrous rates around it. */
function drawMarks() {
  const marks = $("marks");
  marks.replaceChildren();
  if (!state.pixel) return;
  const scale = state.width / Math.max(1, $("stage").clientWidth);
  const shown = state.view === "field" ? state.explained.field : null;
  if (shown?.star) drawStar(marks, shown, scale);
  const { x, y } = state.view === "classes" ? state.pixel : state.explained[state.view]?.at ?? state.pixel;
  const [reach, gap] = [13 * scale, 4 * scale];
  const [cx, cy] = [x + 0.5, y + 0.5];
  const path =
    `M${cx - reach} ${cy}H${cx - gap}M${cx + gap} ${cy}H${cx + reach}`
    + `M${cx} ${cy - reach}V${cy - gap}M${cx} ${cy + gap}V${cy + reach}`;
  svg(marks, "path", { d: path, stroke: "#000", "stroke-opacity": 0.6, "stroke-width": 4 * scale });
  svg(marks, "path", { d: path, stroke: "#fff", "stroke-width": 1.8 * scale });
}

function drawStar(marks, { at, star }, scale) {
  const group = svg(marks, "g", { fill: "none", stroke: "#5eead4", "stroke-width": 1.2 * scale });
  const [cx, cy] = [at.x + 0.5, at.y + 0.5];
  for (const rate of new Set(star.rates)) {
    const [across, down] = star.pitch.map((pitch) => rate * pitch);
    svg(group, "rect", {
      x: cx - across, y: cy - down, width: 2 * across, height: 2 * down, "stroke-opacity": 0.35,
      "stroke-dasharray": `${4 * scale} ${4 * scale}`,
    });
  }
  const points = star.points.length <= 400 ? star.points : [];
  // Rays to the outermost tap of each direction, where the taps lie on eight rays.
  const ends = new Map();
  for (const [x, y] of points) {
    const [dx, dy] = [x - at.x, y - at.y];
    // On a diagonal, but for the rounding to pixels.
    const [columns, rows] = [Math.abs(dx) / star.pitch[0], Math.abs(dy) / star.pitch[1]];
    if (dx && dy && Math.abs(columns - rows) > 1 / Math.min(...star.pitch)) continue;
    const key = `${Math.sign(dx)},${Math.sign(dy)}`;
    if (Math.abs(dx) + Math.abs(dy) > (ends.get(key)?.[2] ?? 0)) {
      ends.set(key, [x, y, Math.abs(dx) + Math.abs(dy)]);
    }
  }
  for (const [x, y] of ends.values()) {
    svg(group, "line", { x1: cx, y1: cy, x2: x + 0.5, y2: y + 0.5, "stroke-opacity": 0.5 });
  }
  for (const [x, y] of points) {
    if (x === at.x && y === at.y) continue;
    svg(group, "circle", { cx: x + 0.5, cy: y + 0.5, r: 4.5 * scale, fill: "#04110f", "fill-opacity": 0.55 });
  }
}

// Classes

function showLegend() {
  const model = modelNamed(state.a);
  const found = state.found.get(state.a);
  if (!model || !found) return;
  const shares = new Map(found.classes.map((entry) => [entry.name, entry.share]));
  const other = state.b && state.found.get(state.b);
  const rows = [...found.classes, ...(other?.classes ?? []).filter(({ name }) => !shares.has(name))];
  const seen = new Set(rows.map((entry) => entry.name));
  const absent = model.classes.map((entry) => entry.name).filter((name) => !seen.has(name));
  const most = absent.length > 12 ? `${absent.length} other classes` : absent.join(", ");
  $("absent").textContent = absent.length ? `Not found: ${most}` : "";
  $("legend").replaceChildren(...rows.map((entry) => {
    const item = document.createElement("li");
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = !state.hidden.has(entry.name);
    box.addEventListener("change", () => {
      if (box.checked) state.hidden.delete(entry.name);
      else state.hidden.add(entry.name);
      drawOverlays();
    });
    const share = shares.get(entry.name);
    label.append(box, swatch(entry.color), text("span", entry.name, "name"),
      text("span", share === undefined ? "–" : percent(share), "share"));
    item.append(label);
    return item;
  }));
}

function swatch(color) {
  const element = document.createElement("span");
  element.className = "swatch";
  element.style.backgroundColor = color;
  return element;
}

function text(kind, content, name) {
  const element = document.createElement(kind);
  element.textContent = content;
  if (name) element.className = name;
  return element;
}

// The pixel

/** What each network says of a pixel. */
function findings({ x, y }) {
  return [state.a, state.b].filter(Boolean).flatMap((name) => {
    const found = state.found.get(name);
    if (!found) return [];
    const index = found.labels[y * found.width + x];
    const entry = modelNamed(name).classes.find((entry) => entry.index === index);
    return [{ name, entry, ranks: ranks(found, x, y) }];
  });
}

/** The most probable classes of a pixel, where the service told probabilities. */
function ranks(found, x, y) {
  const map = found.probabilities;
  if (!map) return [];
  const [column, row] = [
    Math.min(map.width - 1, Math.floor(x / map.step)), Math.min(map.height - 1, Math.floor(y / map.step)),
  ];
  const size = map.width * map.height;
  const at = row * map.width + column;
  return modelNamed(found.model).classes
    .map((entry) => ({ entry, share: map.levels[entry.index * size + at] / 255 }))
    .sort((first, second) => second.share - first.share).slice(0, 4)
    .filter(({ share }, place) => place === 0 || share >= 0.005);
}

function showPixel(pixel = state.pixel) {
  const box = $("pixel");
  if (!pixel || !state.found.size) {
    box.replaceChildren(text("p", "Point at the photograph.", "quiet"));
    return;
  }
  const parts = [];
  for (const { name, entry, ranks } of findings(pixel)) {
    const place = text("div", "", "place");
    place.append(text("span", state.b ? name : "Column, row"), text("span", `${pixel.x}, ${pixel.y}`));
    parts.push(place);
    const rows = ranks.length ? ranks : [{ entry, share: null }];
    for (const { entry, share } of rows) {
      const row = text("div", "", "found");
      row.append(
        swatch(entry?.color ?? "#000"), text("span", entry?.name ?? "none"),
        text("span", share === null ? "" : percent(share), "quiet"));
      if (share !== null) {
        const track = text("span", "", "track");
        const bar = document.createElement("i");
        bar.style.width = `${100 * share}%`;
        track.append(bar);
        row.append(track);
      }
      parts.push(row);
    }
  }
  box.replaceChildren(...parts);
}

function sayPixel() {
  const parts = findings(state.pixel).map(({ name, entry, ranks }) =>
    `${state.b ? `${name}: ` : ""}${entry?.name ?? "none"}${ranks.length ? ` ${percent(ranks[0].share)}` : ""}`);
  say(`Pixel ${state.pixel.x}, ${state.pixel.y}: ${parts.join("; ")}`);
}

/** The pixel of the photograph under a pointer. */
function pixelAt(event) {
  const box = $("stage").getBoundingClientRect();
  const place = (offset, side, count) =>
    Math.max(0, Math.min(count - 1, Math.floor((offset / side) * count)));
  return {
    x: place(event.clientX - box.left, box.width, state.width),
    y: place(event.clientY - box.top, box.height, state.height),
  };
}

// Explanations

function clearExplanation() {
  $("explanation").hidden = true;
  $("facts").replaceChildren();
}

/** The network whose side a pixel lies on. */
const networkAt = (x) => (state.b && state.view === "classes" && x / state.width >= state.split ? state.b : state.a);

async function explain() {
  if (!state.pixel || !state.file) return;
  if (state.view === "classes") setView("field");
  const [view, at, model, file] = [state.view, { ...state.pixel }, state.asked ?? state.a, state.file];
  const parameters = { model, x: at.x, y: at.y, format: "json" };
  clearProblem();
  try {
    const path = view === "field" ? "v1/explain" : "v1/similarity";
    const answer = await ask(path, { kind: "explain", body: file, parameters })
      .then((answer) => answer.json());
    if (file !== state.file) return;
    state.explained[view] = view === "field" ? fieldOf(answer, at) : similarOf(answer, at);
    if (view === state.view) {
      applyView();
      showExplanation();
      say(state.explained[view].reading);
    }
  } catch (error) {
    showProblem(error);
  }
}

function fieldOf(answer, at) {
  const data = bytes(answer.field.data);
  const { star } = answer;
  return {
    at, star, model: answer.model, reading: answer.reading, fades: true, part: answer.part,
    width: answer.field.width, height: answer.field.height,
    levels: Float32Array.from(data, (value) => value / 255),
    facts: [
      ["Pixel", `${at.x}, ${at.y}`],
      ["Half of the effect within", `${answer.halfWithin} px`],
      ["Nine tenths within", `${answer.ninetyWithin} px`],
      ...(star ? [["Atrous rates", star.rates.join(", ")], ["At output stride", star.stride]] : []),
      ...(answer.seen.width === answer.part.width && answer.seen.height === answer.part.height
        ? [] : [["Seen at", `${answer.seen.width} × ${answer.seen.height}`]]),
    ],
  };
}

function similarOf(answer, at) {
  const cosines = answer.cosines.map((value) => value / 1000);
  const low = Math.min(0, ...[cosines.reduce((least, value) => Math.min(least, value), 1)]);
  const close = cosines.filter((value) => value >= 0.8).length / cosines.length;
  return {
    at, model: answer.model, fades: false,
    reading: `Bright places have features that point the same way as those of pixel ${at.x}, ${at.y}:`
      + ` ${percent(close)} of the photograph has a cosine of 0.8 or more.`,
    part: { x: 0, y: 0, width: answer.width, height: answer.height },
    width: answer.mapWidth, height: answer.mapHeight,
    levels: Float32Array.from(cosines, (value) => (value - low) / (1 - low)),
    facts: [
      ["Pixel", `${at.x}, ${at.y}`],
      ["Features", `${answer.channels} channels`],
      ["Positions", `${answer.mapWidth} × ${answer.mapHeight}`],
    ],
  };
}

function showExplanation() {
  const shown = state.view === "classes" ? null : state.explained[state.view];
  $("explanation").hidden = !shown;
  if (!shown) return;
  const title = state.view === "field" ? "Receptive field" : "Similar features";
  $("explanation-title").textContent = state.models.length > 1 ? `${title}, ${shown.model}` : title;
  $("reading").textContent = shown.reading;
  $("facts").replaceChildren(
    ...shown.facts.flatMap(([name, value]) => [text("dt", name), text("dd", value)]));
}

function setView(view) {
  state.view = view;
  document.querySelector(`input[name=view][value=${view}]`).checked = true;
  applyView();
  showExplanation();
}

// Saving

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${state.name}_${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say(`Saved ${link.download}.`);
}

/** The photograph with what lies over it, at its own size. */
async function savePicture() {
  const canvas = new OffscreenCanvas(state.width, state.height);
  const context = canvas.getContext("2d");
  const shown = state.view === "classes" ? null : state.explained[state.view];
  if (shown) context.filter = "brightness(0.55) saturate(0.4)";
  context.drawImage($("photo"), 0, 0);
  context.filter = "none";
  if (shown) {
    context.globalAlpha = Number($("heat").style.opacity);
    context.drawImage($("heat"), 0, 0);
    context.globalAlpha = 1;
    const marks = $("marks").cloneNode(true);
    marks.setAttribute("width", state.width);
    marks.setAttribute("height", state.height);
    const source = new XMLSerializer().serializeToString(marks);
    const picture = new Image();
    picture.src = `data:image/svg+xml,${encodeURIComponent(source)}`;
    await picture.decode();
    context.drawImage(picture, 0, 0, state.width, state.height);
  } else {
    context.globalAlpha = $("opacity").value / 100;
    const middle = state.b ? Math.round(state.split * state.width) : state.width;
    if (middle > 0) {
      context.drawImage($("overlay-a"), 0, 0, middle, state.height, 0, 0, middle, state.height);
    }
    if (middle < state.width) {
      const rest = state.width - middle;
      context.drawImage($("overlay-b"), middle, 0, rest, state.height, middle, 0, rest, state.height);
    }
  }
  save(await canvas.convertToBlob({ type: "image/png" }), shown ? `${state.view}.png` : "overlay.png");
}

async function saveAs(format, accept, ending) {
  try {
    const answer = await ask("v1/predict", {
      kind: `save ${format}`, body: state.file, accept, parameters: { model: state.a, format },
    });
    save(await answer.blob(), ending);
  } catch (error) {
    showProblem(error);
  }
}

// Events

function listen() {
  for (const button of document.querySelectorAll("[data-open]")) {
    button.addEventListener("click", () => $("file").click());
  }
  $("file").addEventListener("change", (event) => {
    const file = event.target.files[0];
    if (file) open(file, file.name);
    event.target.value = "";
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", async () => {
      const answer = await fetch(`examples/${button.dataset.example}.jpg`);
      open(await answer.blob(), `street-${button.dataset.example}`);
      $("stage").focus();
    });
  }
  document.addEventListener("paste", (event) => {
    const item = [...event.clipboardData.items].find((item) => item.kind === "file");
    const file = item?.getAsFile();
    if (file) open(file, file.name || "pasted");
  });
  let depth = 0;
  document.addEventListener("dragenter", (event) => {
    event.preventDefault();
    depth += 1;
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    document.body.classList.toggle("dropping", depth > 0);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    const file = event.dataTransfer.files[0];
    if (file) open(file, file.name);
  });

  const stage = $("stage");
  stage.addEventListener("pointermove", (event) => { if (state.found.size) showPixel(pixelAt(event)); });
  stage.addEventListener("pointerleave", () => showPixel());
  stage.addEventListener("click", (event) => {
    if (event.target.closest(".divider")) return;
    state.pixel = pixelAt(event);
    state.asked = networkAt(state.pixel.x);
    drawMarks();
    showPixel();
    explain();
  });
  stage.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (state.pixel) state.asked = networkAt(state.pixel.x);
      explain();
    } else if (event.key === "Escape") {
      setView("classes");
    } else if (steps[event.key]) {
      event.preventDefault();
      const [dx, dy] = steps[event.key].map((step) => step * (event.shiftKey ? 10 : 1));
      const from = state.pixel ?? { x: state.width >> 1, y: state.height >> 1 };
      const to = state.pixel ? { x: from.x + dx, y: from.y + dy } : from;
      state.pixel = {
        x: Math.max(0, Math.min(state.width - 1, to.x)), y: Math.max(0, Math.min(state.height - 1, to.y)),
      };
      drawMarks();
      showPixel();
      sayPixel();
    }
  });

  const divider = $("divider");
  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = stage.getBoundingClientRect();
    setSplit((event.clientX - box.left) / box.width);
  });
  $("split").addEventListener("input", () => setSplit($("split").value / 100));
  $("opacity").addEventListener("input", applyView);
  for (const choice of document.querySelectorAll("input[name=view]")) {
    choice.addEventListener("change", () => {
      setView(choice.value);
      if (choice.value !== "classes" && state.pixel && !isCurrent(choice.value)) explain();
    });
  }
  $("all").addEventListener("click", () => {
    state.hidden.clear();
    drawOverlays();
    showLegend();
  });
  for (const side of ["a", "b"]) {
    $(`network-${side}`).addEventListener("change", async () => {
      state[side] = $(`network-${side}`).value || null;
      state.asked = state.a;
      state.explained = { field: null, similar: null };
      if (!modelNamed(state.a).explains.includes("similarity") && state.view === "similar") setView("classes");
      applyView();
      showExplanation();
      await predictAll();
    });
  }
  $("save-picture").addEventListener("click", savePicture);
  $("save-labels").addEventListener("click", () => saveAs("labels", "image/png", "labels.png"));
  $("save-polygons").addEventListener(
    "click", () => saveAs("polygons", "application/geo+json", "outlines.geojson"));
  new ResizeObserver(drawMarks).observe(stage);
}

/** Whether a view shows the pixel that is chosen. */
function isCurrent(view) {
  const at = state.explained[view]?.at;
  return at && at.x === state.pixel.x && at.y === state.pixel.y;
}

function setSplit(share) {
  state.split = Math.max(0, Math.min(1, share));
  $("split").value = 100 * state.split;
  applyView();
}

async function begin() {
  listen();
  try {
    state.models = (await ask("v1/models").then((answer) => answer.json())).models;
  } catch (error) {
    $("work").hidden = false;
    return showProblem(error);
  }
  const options = state.models.map((model) => new Option(model.name, model.name));
  $("network-a").replaceChildren(...options);
  $("network-b").replaceChildren(
    new Option("nothing", ""), ...state.models.map((model) => new Option(model.name, model.name)));
  state.a = state.models[0].name;
  $("networks").hidden = state.models.length < 2;
  $("similar-choice").hidden = !state.models.some((model) => model.explains.includes("similarity"));
}

begin();
