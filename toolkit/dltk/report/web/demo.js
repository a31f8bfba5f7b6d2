// The page: starts the runtime, replays the golden samples, and answers pictures that are dropped, chosen or clicked.

const TOP = 5;

const element = (id) => document.getElementById(id);
const bundle = JSON.parse(element("bundle").textContent);
const { signature } = bundle;
const [, height, width, channels] = signature.inputs[0].shape;
let session = null;
let queue = Promise.resolve(); // the runtime runs one picture at a time

function make(tag, text = "", name = "") {
  const found = document.createElement(tag);
  found.textContent = text; // never markup: labels and names may be anybody's
  found.className = name;
  return found;
}

function say(id, text, kind = "") {
  element(id).textContent = text;
  element(id).dataset.kind = kind;
  element(id).hidden = !text;
}

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start() {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is older than 2023, which is too old");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = (await unpack(element("runtime").textContent)).buffer;
  const model = await unpack(element("model").textContent);
  session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const samples = await Promise.all(bundle.golden.map(readGolden)), outputs = [];
  let equal = true;
  for (const sample of samples) {
    const tensor = toTensor(sample.picture, signature.preprocess);
    equal &&= tensor.length === sample.tensor.length;
    equal &&= tensor.every((value, at) => Object.is(value, sample.tensor[at]));
    outputs.push(await run(tensor, requireNumbers)); // of a golden sample it is known how far off it may be
  }
  const verdict = judge(outputs, samples.map((sample) => sample.output), bundle.parity);
  const inputs = equal ? "inputs bit-identical" : "inputs differ";
  const words = `${samples.length} golden sample(s) replayed here: ${verdict.words}; ${inputs}`;
  globalThis.dltkGolden = { outputs: outputs.map((output) => Array.from(output)) };
  if (!verdict.passed || !equal) {
    throw new Error(`This browser does not reproduce the recorded predictions of the bundle, so it gives none. ${words}`);
  }
  say("status", `Ready. ${words}.`, "good");
  samples.forEach(offer);
  element("file").disabled = false;
  element("drop").dataset.ready = "yes";
}

async function readGolden({ raw, tensor, output }) {
  const [data, floats, wanted] = await Promise.all([raw, tensor, output].map(unpack));
  const picture = { height, width, channels, data };
  return { picture, tensor: new Float32Array(floats.buffer), output: new Float32Array(wanted.buffer) };
}

/** The model's output for one input, as float32. */
async function run(tensor, require = requireAnswer) {
  const feeds = { [signature.inputs[0].name]: new ort.Tensor("float32", tensor, [1, height, width, channels]) };
  const { data } = (await session.run(feeds))[signature.outputs[0].name];
  require(data, signature.outputs[0].shape.slice(1).reduce((a, b) => a * b, 1));
  return data;
}

/** A button that answers a golden sample. */
function offer({ picture }, number) {
  const button = make("button"), canvas = make("canvas");
  paint(canvas, picture);
  button.type = "button";
  button.append(canvas, make("span", `golden sample ${number + 1}`));
  button.addEventListener("click", () => handle(`Golden sample ${number + 1}`, async () => picture));
  element("samples").append(button);
}

/** Answer the picture that `read` gives, after those before it. */
function handle(name, read) {
  queue = queue.then(async () => {
    say("fault", "");
    try {
      const picture = await read(), sample = rawSample(picture, signature.preprocess);
      const output = await run(toTensor(sample, signature.preprocess));
      show(name, picture, sample, output);
    } catch (fault) {
      element("answer").hidden = true;
      globalThis.dltkAnswer = { name, fault: fault.message };
      say("fault", `${name}: ${fault.message}.`, "bad");
    }
  });
}

function show(name, picture, sample, output) {
  paint(element("picture"), picture);
  element("picture").parentElement.hidden = picture === sample; // a golden sample is what the model sees
  paint(element("seen"), sample);
  element("name").textContent = name;
  const found = signature.family === "segmentation" ? maskOf(output, signature) : null;
  const rows = found ? found.shares : labelsOf(output, signature, TOP);
  if (found) paintMask(found.mask);
  element("mask-figure").hidden = !found;
  element("bars").replaceChildren(...rows.map(bar));
  if (!rows.length) element("bars").append(make("li", "No label is over the threshold."));
  element("answer").hidden = false;
  globalThis.dltkAnswer = { name, rows, output: Array.from(output), raw: Array.from(sample.data) };
}

function bar({ label, score, number }) {
  const row = make("li"), track = make("div", "", "track"), fill = make("i");
  fill.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
  if (number !== undefined) { // a class of a mask, in its colour there
    fill.className = "class";
    fill.style.background = `rgb(${colourOf(number)})`;
  }
  track.append(fill);
  row.append(make("span", label), make("b", asPercent(score)), track);
  return row;
}

function paintMask(mask) {
  const [, rows, columns] = signature.outputs[0].shape, data = new Uint8Array(mask.length * 3);
  mask.forEach((number, pixel) => data.set(colourOf(number), 3 * pixel));
  paint(element("mask"), { height: rows, width: columns, channels: 3, data });
}

function paint(canvas, picture) {
  const image = new ImageData(picture.width, picture.height);
  for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      image.data[4 * pixel + channel] = picture.data[pixel * picture.channels + (picture.channels === 1 ? 0 : channel)];
    }
    image.data[4 * pixel + 3] = 255;
  }
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A file's picture, upright, in RGB over white. */
async function decode(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const most = signature.preprocess.find((op) => op.op === "decode")?.max_pixels ?? 50_000_000;
  const type = kindOf(bytes);
  if (type === "image/png") {
    const found = await decodePng(bytes, most);
    return upright(found, found.orientation);
  }
  if (type === "image/jpeg") requireJpeg(bytes, most);
  const orientation = type === "image/webp" ? takeWebpOrientation(bytes) : 1; // browsers turn JPEG themselves
  return upright(await byBrowser(new Blob([bytes], { type }), most), orientation);
}

async function byBrowser(blob, most) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(blob, options).catch(() => {
    throw new Error("must be an undamaged image");
  });
  requirePixels(bitmap.width * bitmap.height, most);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height), rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    for (let channel = 0; channel < 3; channel++) rgb[to++] = overWhite(data[from + channel], data[from + 3]);
  }
  return { height: bitmap.height, width: bitmap.width, channels: 3, data: rgb };
}

function listen() {
  const drop = element("drop");
  const take = (files) => Array.from(files).slice(0, 1).forEach((file) => handle(file.name, () => decode(file)));
  element("file").addEventListener("change", (event) => {
    take(event.target.files);
    event.target.value = ""; // the same file may be chosen again
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault(); // else the browser leaves the page for the file
      drop.dataset.over = kind === "dragover" || kind === "dragenter" ? "yes" : "";
      if (kind === "drop" && drop.dataset.ready) take(event.dataTransfer.files);
    });
  }
}

listen();
start().catch((fault) => say("status", `${fault.message}.`, "bad"));
