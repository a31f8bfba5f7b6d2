// Pixels to the model's input, bit for bit as dltk.edge.input.images.decode and dltk.edge.input.preprocess have it.
// A picture here is {height, width, channels, data}: unsigned bytes, row by row, channel last.

const PRECISION = 22; // bits behind the point in Pillow's weights: 32 - 8 - 2

const overWhite = (value, alpha) => ((value * alpha + 255 * (255 - alpha) + 127) / 255) | 0;

function requirePixels(pixels, most) {
  if (pixels > most) throw new Error(`the image has ${pixels} pixels, and the model's page takes at most ${most}`);
}

/** A picture turned as EXIF 2.32, tag 0x0112, says. */
function upright({ height, width, data }, orientation) {
  const turned = orientation >= 5 && orientation <= 8;
  const [rows, columns] = turned ? [width, height] : [height, width];
  if (!(orientation >= 2 && orientation <= 8)) return { height, width, channels: 3, data };
  const found = new Uint8Array(data.length);
  for (let row = 0; row < rows; row++) {
    const y = [3, 4, 7, 8].includes(orientation) ? rows - 1 - row : row;
    for (let column = 0; column < columns; column++) {
      const x = [2, 3, 6, 7].includes(orientation) ? columns - 1 - column : column;
      const from = 3 * (turned ? x * width + y : y * width + x), to = 3 * (row * columns + column);
      for (let channel = 0; channel < 3; channel++) found[to + channel] = data[from + channel];
    }
  }
  return { height: rows, width: columns, channels: 3, data: found };
}

/** A decoded picture as a raw sample: the steps "decode" and "resize". */
function rawSample(picture, ops) {
  const found = ops.filter((op) => op.op === "resize").reduce((each, op) => resize(each, op), picture);
  return (ops.find((op) => op.op === "decode")?.mode ?? "RGB") === "L" ? toGrey(found) : found;
}

function resize(picture, { height, width, fit = "stretch" }) {
  const { height: rows, width: columns } = picture;
  if (rows === height && columns === width) return picture;
  if (fit === "stretch") return resample(picture, height, width);
  if (fit === "crop") {
    const [tall, wide] = inside(height, width, rows, columns);
    return resample(cut(picture, (rows - tall) >> 1, (columns - wide) >> 1, tall, wide), height, width);
  }
  const isSmall = fit === "keep" && rows <= height && columns <= width;
  const [tall, wide] = isSmall ? [rows, columns] : inside(rows, columns, height, width);
  return padded(isSmall ? picture : resample(picture, tall, wide), height, width);
}

/** The largest size with the proportions rows : columns that fits the frame, in whole numbers, at least 1. */
function inside(rows, columns, mostRows, mostColumns) {
  if (rows * mostColumns >= columns * mostRows) {
    return [mostRows, Math.max(1, Math.floor((2 * columns * mostRows + rows) / (2 * rows)))];
  }
  return [Math.max(1, Math.floor((2 * rows * mostColumns + columns) / (2 * columns))), mostColumns];
}

function cut({ width, channels, data }, top, left, tall, wide) {
  const found = new Uint8Array(tall * wide * channels);
  for (let row = 0; row < tall; row++) {
    const from = ((top + row) * width + left) * channels;
    found.set(data.subarray(from, from + wide * channels), row * wide * channels);
  }
  return { height: tall, width: wide, channels, data: found };
}

function padded(picture, height, width) {
  const { height: tall, width: wide, channels, data } = picture, found = new Uint8Array(height * width * channels);
  const top = (height - tall) >> 1, left = (width - wide) >> 1;
  for (let row = 0; row < tall; row++) {
    const line = data.subarray(row * wide * channels, (row + 1) * wide * channels);
    found.set(line, ((top + row) * width + left) * channels);
  }
  return { height, width, channels, data: found };
}

/** Pillow's bilinear resize (Resample.c): a triangle widened when shrinking, in 8-bit fixed point. */
function resample(picture, height, width) {
  // One axis at a time, the one first that leaves fewer pixels.
  const across = (each) => along(each, "width", width), down = (each) => along(each, "height", height);
  return picture.height * width <= height * picture.width ? down(across(picture)) : across(down(picture));
}

/** Along one axis: `step` bytes lie between neighbours on it, `next` between the lines beside it. */
function along(picture, axis, wanted) {
  if (picture[axis] === wanted) return picture;
  const { channels } = picture, found = { ...picture, [axis]: wanted }, isAcross = axis === "width";
  found.data = new Uint8Array(found.height * found.width * channels);
  const strides = ({ width }) => (isAcross ? [channels, width * channels] : [width * channels, channels]);
  const [step, next] = strides(picture), [stepTo, nextTo] = strides(found);
  const lines = isAcross ? picture.height : picture.width, kernels = triangles(picture[axis], wanted);
  for (let line = 0; line < lines; line++) {
    for (let place = 0; place < wanted; place++) {
      const { first, weights } = kernels[place];
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (PRECISION - 1), at = line * next + first * step + channel;
        for (let i = 0; i < weights.length; i++, at += step) sum += picture.data[at] * weights[i];
        found.data[line * nextTo + place * stepTo + channel] = Math.min(255, sum >> PRECISION);
      }
    }
  }
  return found;
}

/** Where each output begins in the input, and its weights as whole numbers. */
function triangles(size, wanted) {
  const scale = size / wanted, spread = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - spread + 0.5));
    const end = Math.min(size, Math.trunc(centre + spread + 0.5));
    const weights = new Float64Array(end - first);
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      weights[i] = Math.max(0, 1 - Math.abs((i + first - centre + 0.5) * (1 / spread)));
      sum += weights[i];
    }
    const whole = weights.map((weight) => Math.trunc(0.5 + (sum ? weight / sum : weight) * 2 ** PRECISION));
    return { first, weights: Int32Array.from(whole) };
  });
}

/** ITU-R 601-2 luma in 16-bit fixed point. */
function toGrey({ height, width, data }) {
  const found = new Uint8Array(height * width);
  for (let i = 0; i < found.length; i++) {
    found[i] = (data[3 * i] * 19595 + data[3 * i + 1] * 38470 + data[3 * i + 2] * 7471 + 0x8000) >>> 16;
  }
  return { height, width, channels: 1, data: found };
}

/** A raw sample as the model's float32 input: every step rounds to float32, as NumPy does. */
function toTensor({ channels, data }, ops) {
  const tensor = Float32Array.from(data), { fround } = Math;
  const number = (value, channel) => fround(Array.isArray(value) ? value[value.length === 1 ? 0 : channel] : value);
  for (const op of ops) {
    const each = {
      scale: (value, channel) => fround(value * number(op.multiply, channel)) + number(op.add, channel),
      standardize: (value, channel) => fround(value - number(op.mean, channel)) / number(op.std, channel),
      clip: (value) => Math.min(Math.max(value, fround(op.low)), fround(op.high)),
    }[op.op];
    if (each) tensor.forEach((value, at) => { tensor[at] = each(value, at % channels); });
    for (let at = 0; op.op === "reverse_channels" && at < tensor.length; at += channels) {
      tensor.subarray(at, at + channels).reverse();
    }
  }
  return tensor;
}
