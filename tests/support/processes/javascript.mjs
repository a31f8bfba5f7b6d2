// Behind the demo page's scripts in one module: runs one of these on every case of stdin, a line of JSON.
import fs from "node:fs";

const bytes = (found) => new Uint8Array(Buffer.from(found.data, "base64"));
const base64 = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
const picture = (found) => ({ height: found.shape[0], width: found.shape[1], channels: found.shape[2], data: bytes(found) });
const array = (found) => ({ shape: [found.height, found.width, found.channels], data: base64(found.data) });

const functions = {
  async decode({ png, most }) {
    const found = await decodePng(bytes(png), most);
    return array(upright(found, found.orientation));
  },
  kind: ({ file }) => kindOf(bytes(file)),
  jpeg: ({ file }) => requireJpeg(bytes(file), 10_000) ?? "fine",
  webp: ({ file }) => takeWebpOrientation(bytes(file)),
  resize: ({ image, mode, op }) => array(rawSample(picture(image), [{ op: "decode", mode }, op])),
  tensor: ({ image, ops }) => {
    const found = toTensor(picture(image), ops);
    return { shape: [found.length], data: base64(found) };
  },
  labels: ({ output, signature }) => labelsOf(output, signature, 2),
  mask: ({ output, signature }) => {
    const { mask, shares } = maskOf(output, signature);
    return { mask: Array.from(mask), shares };
  },
  colour: (number) => colourOf(number),
  require: ({ output, size }) => requireAnswer(Float32Array.from(output, Number), size) ?? "fine",
  judge: ({ found, wanted, parity }) => judge(found, wanted, parity),
};

const answers = [];
for (const given of JSON.parse(fs.readFileSync(0, "utf8"))) {
  try {
    answers.push(await functions[process.argv[2]](given));
  } catch (fault) {
    answers.push({ fault: fault.message });
  }
}
console.log(JSON.stringify(answers));
