// The job on stdin in Chromium: every TFLite file in LiteRT.js, every ONNX file in ONNX Runtime Web, and pages from disk.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { chromium } from "playwright-core";

const job = JSON.parse(fs.readFileSync(0, "utf8"));
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const PAGE = `<!doctype html><meta charset="utf-8"><script type="importmap">{"imports": {
  "@litertjs/core": "/node_modules/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/node_modules/@litertjs/wasm-utils/dist/index.js"}}</script><body></body>`;

const server = http.createServer((request, response) => {
  const wanted = new URL(request.url, "http://localhost").pathname, file = path.join(process.cwd(), path.normalize(wanted));
  if (wanted === "/") return response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
  if (!wanted.startsWith("/node_modules/") || !fs.existsSync(file)) return response.writeHead(404).end();
  return response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "text/plain" }).end(fs.readFileSync(file));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

// Runs in the page: one file, sample by sample.
async function runFile(file) {
  const ARRAYS = { float32: Float32Array, int32: Int32Array };
  const unpack = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const pack = (values) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
  const input = ({ dtype, samples }, i) => new ARRAYS[dtype](unpack(samples[i]).buffer);

  async function onnx() {
    const ort = await import("/node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = "/node_modules/onnxruntime-web/dist/";
    const session = await ort.InferenceSession.create(unpack(file.model), { executionProviders: ["wasm"] });
    return async (i) => {
      const feeds = file.inputs.map((each) => [each.name, new ort.Tensor(each.dtype, input(each, i), each.shape)]);
      const found = await session.run(Object.fromEntries(feeds));
      return file.outputs.map((name) => found[name].data);
    };
  }

  async function tflite() {
    const litert = await import("@litertjs/core");
    globalThis.liteRtReady ??= litert.loadLiteRt("/node_modules/@litertjs/core/wasm/");
    await globalThis.liteRtReady;
    const model = await litert.loadAndCompile(unpack(file.model), { accelerator: "wasm" });
    return async (i) => {
      const fed = file.inputs.map((each) => [each.name, new litert.Tensor(input(each, i), each.shape)]);
      const found = await model.run(Object.fromEntries(fed));
      const values = file.outputs.map((name) => found[name].toTypedArray().slice());
      [...Object.values(found), ...fed.map(([, tensor]) => tensor)].forEach((tensor) => tensor.delete());
      return values;
    };
  }

  try {
    const run = await (file.format === "onnx" ? onnx() : tflite());
    const outputs = Object.fromEntries(file.outputs.map((name) => [name, []]));
    for (let i = 0; i < file.inputs[0].samples.length; i++) {
      (await run(i)).forEach((values, at) => outputs[file.outputs[at]].push(pack(Float32Array.from(values))));
    }
    return { outputs };
  } catch (fault) {
    return { fault: String(fault?.message ?? fault).slice(0, 300) };
  }
}

// The page opened from the disk; each picture dropped on it, as a person would.
async function tryDemo(context, { html, pictures }) {
  const page = await context.newPage(), noise = [];
  page.on("request", (request) => /^(file|blob|data):/.test(request.url()) || noise.push(request.url()));
  page.on("pageerror", (fault) => noise.push(fault.message));
  page.on("console", (message) => message.type() === "error" && noise.push(message.text()));
  await page.goto(`file://${html}`);
  await page.waitForFunction(() => document.querySelector("#status").dataset.kind, null, { timeout: 120_000 });
  const status = await page.textContent("#status"), answers = {};
  for (const picture of pictures) {
    const data = fs.readFileSync(picture).toString("base64"), name = path.basename(picture);
    await page.evaluate(({ data, name }) => {
      globalThis.dltkAnswer = null;
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
      const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.querySelector("#drop").dispatchEvent(drop);
    }, { data, name });
    await page.waitForFunction(() => globalThis.dltkAnswer, null, { timeout: 60_000 });
    const shown = await page.$$eval("#bars li", (rows) => rows.map((row) => row.querySelector("span").textContent));
    answers[picture] = { ...(await page.evaluate(() => globalThis.dltkAnswer)), shown };
  }
  await page.close();
  return { status, answers, noise };
}

const profile = fs.mkdtempSync(path.join(process.cwd(), "profile-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: job.browser,
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const found = { files: {}, demos: {}, browser: context.browser()?.version() ?? "" };
try {
  for (const file of job.files) {
    const page = await context.newPage(), said = []; // a runtime that fell over must not take the next file with it
    page.on("console", (message) => /^ERROR: /.test(message.text()) && said.push(message.text()));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const told = await page.evaluate(runFile, file).catch((fault) => ({ fault: fault.message.slice(0, 300) }));
    found.files[file.name] = told.fault ? { fault: [told.fault, ...said].join("; ") } : told;
    await page.close();
  }
  for (const demo of job.demos) found.demos[demo.html] = await tryDemo(context, demo);
} finally {
  await context.close();
  server.close();
  fs.rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify(found));
