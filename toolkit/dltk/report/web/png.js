// PNG to pixels, as Pillow decodes it: a browser's own decoder applies colour profiles and rounds where there is alpha.

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // colour type -> samples a pixel
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/** {height, width, data: RGB bytes, orientation} of the bytes of a PNG; throws an Error that says what is wrong. */
async function decodePng(bytes, maxPixels) {
  const png = readChunks(bytes);
  requirePixels(png.width * png.height, maxPixels);
  const passes = (png.interlaced ? ADAM7 : [[0, 0, 1, 1]])
    .map(([x, y, dx, dy]) => ({
      x, y, dx, dy, width: Math.ceil((png.width - x) / dx), height: Math.ceil((png.height - y) / dy),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
  const stride = (pass) => Math.ceil((pass.width * png.channels * png.depth) / 8);
  const size = passes.reduce((sum, pass) => sum + pass.height * (stride(pass) + 1), 0);
  const raw = await inflate(png.data, size);
  const samples = new (png.depth === 16 ? Uint16Array : Uint8Array)(png.width * png.height * png.channels);
  let at = 0;
  for (const pass of passes) {
    unfilter(raw, at, pass.height, stride(pass), Math.max(1, (png.channels * png.depth) >> 3));
    spread(raw, at, stride(pass), pass, png, samples);
    at += pass.height * (stride(pass) + 1);
  }
  return { height: png.height, width: png.width, data: pngToRgb(png, samples), orientation: orientationOf(png.exif) };
}

function readChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { data: [] };
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new Error("the PNG is cut off");
    const length = view.getUint32(at), end = at + 8 + length;
    if (end + 4 > bytes.length) throw new Error("the PNG is cut off");
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8)), body = bytes.subarray(at + 8, end);
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) throw new Error(`the PNG is damaged in ${kind}`);
    if (kind === "IHDR") readHeader(found, body);
    else if (!found.width) throw new Error("the PNG does not begin with its header");
    else if (kind === "PLTE") found.palette = body;
    else if (kind === "tRNS") found.transparency = body;
    else if (kind === "eXIf") found.exif = body;
    else if (kind === "IDAT") found.data.push(body);
    else if (kind === "IEND") return found;
    at = end + 4;
  }
}

function readHeader(found, body) {
  if (body.length !== 13) throw new Error("the PNG's header is damaged");
  const view = new DataView(body.buffer, body.byteOffset, 13);
  const [depth, colour, compression, filter, interlaced] = body.subarray(8);
  const known = (DEPTHS[colour] ?? []).includes(depth) && !compression && !filter && interlaced < 2;
  Object.assign(found, { width: view.getUint32(0), height: view.getUint32(4), depth, colour, interlaced });
  if (!known || !found.width || !found.height) throw new Error("the PNG's header is damaged");
  found.channels = CHANNELS[colour];
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) crc = CRC_TABLE[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The first `size` bytes of a zlib stream; what it holds beyond them is never unpacked. */
async function inflate(parts, size) {
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const found = new Uint8Array(size);
  let at = 0;
  try {
    while (at < size) {
      const { done, value } = await reader.read();
      if (done) break;
      found.set(value.subarray(0, size - at), at);
      at += value.length;
    }
  } catch (fault) {
    throw new Error("the PNG's pixels are damaged");
  }
  if (at < size) throw new Error("the PNG's pixels are cut off");
  reader.cancel().catch(() => {});
  return found;
}

/** Undo each row's filter in place (PNG specification, section 9). */
function unfilter(raw, start, height, stride, pixel) {
  for (let row = 0; row < height; row++) {
    const at = start + row * (stride + 1) + 1, kind = raw[at - 1], above = row ? at - stride - 1 : -1;
    if (kind > 4) throw new Error("the PNG's pixels are damaged");
    for (let i = 0; kind && i < stride; i++) {
      const left = i >= pixel ? raw[at + i - pixel] : 0, up = above < 0 ? 0 : raw[above + i];
      const corner = i >= pixel && above >= 0 ? raw[above + i - pixel] : 0;
      raw[at + i] += kind === 1 ? left : kind === 2 ? up : kind === 3 ? (left + up) >> 1 : paeth(left, up, corner);
    }
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const a = Math.abs(guess - left), b = Math.abs(guess - up), c = Math.abs(guess - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Put the samples of one pass where they belong in the picture. */
function spread(raw, start, stride, pass, png, samples) {
  const { channels, depth, width } = png, mask = (1 << depth) - 1;
  for (let row = 0; row < pass.height; row++) {
    const from = start + row * (stride + 1) + 1;
    for (let column = 0; column < pass.width; column++) {
      const to = ((pass.y + row * pass.dy) * width + pass.x + column * pass.dx) * channels;
      for (let channel = 0; channel < channels; channel++) {
        const place = column * channels + channel;
        if (depth === 8) samples[to + channel] = raw[from + place];
        else if (depth === 16) samples[to + channel] = (raw[from + 2 * place] << 8) | raw[from + 2 * place + 1];
        else samples[to + channel] = (raw[from + ((place * depth) >> 3)] >> (8 - depth - ((place * depth) & 7))) & mask;
      }
    }
  }
}

/** RGB bytes: 16 bits by their upper 8, transparency over white. */
function pngToRgb(png, samples) {
  const { channels, depth, colour } = png;
  const byte = depth === 16 ? (value) => value >> 8 : (value) => (value * 255) / ((1 << depth) - 1);
  const isHidden = transparentColour(png, byte);
  const rgb = new Uint8Array(png.width * png.height * 3);
  for (let pixel = 0; pixel < png.width * png.height; pixel++) {
    const first = samples[pixel * channels], to = pixel * 3;
    let alpha = 255, from = null;
    if (colour === 3) {
      if (!png.palette || 3 * first + 2 >= png.palette.length) throw new Error("the PNG's palette is too short");
      from = [png.palette[3 * first], png.palette[3 * first + 1], png.palette[3 * first + 2]];
      alpha = png.transparency?.[first] ?? 255;
    } else {
      const colours = samples.subarray(pixel * channels, pixel * channels + 3);
      const [red, green, blue] = channels < 3 ? [first, first, first] : colours;
      if (colour & 4) alpha = byte(samples[pixel * channels + channels - 1]);
      else if (isHidden(red, green, blue)) alpha = 0;
      from = [byte(red), byte(green), byte(blue)];
    }
    for (let channel = 0; channel < 3; channel++) rgb[to + channel] = overWhite(from[channel], alpha);
  }
  return rgb;
}

/** Which raw sample values tRNS makes transparent; all but 16-bit grey by their lower bytes, as Pillow has it. */
function transparentColour({ colour, depth, transparency }, byte) {
  if (!transparency || colour > 2) return () => false;
  if (transparency.length < (colour ? 6 : 2)) throw new Error("the PNG's transparency is cut off");
  const key = (at) => (transparency[at] << 8) | transparency[at + 1];
  if (colour === 2) return (r, g, b) => [r, g, b].every((value, i) => byte(value) === (key(2 * i) & 255));
  if (depth === 16) return (grey) => grey === key(0);
  const wanted = depth === 1 ? (key(0) ? 255 : 0) : key(0) & 255;
  return (grey) => byte(grey) === wanted;
}
