// What stands in files beside their pixels: which format it is, which way up, and what a browser would decode wrongly.

const KINDS = { // how a file of each format begins; the decoder is chosen by content, never by name
  "image/png": /^\x89PNG\r\n\x1a\n/,
  "image/jpeg": /^\xff\xd8\xff/,
  "image/gif": /^GIF8[79]a/,
  "image/bmp": /^BM/,
  "image/webp": /^RIFF....WEBP/s,
};

function kindOf(bytes) {
  const begin = String.fromCharCode(...bytes.subarray(0, 16));
  const found = Object.keys(KINDS).find((kind) => KINDS[kind].test(begin));
  if (!found) throw new Error("must be a JPEG, PNG, BMP, WebP or GIF");
  return found;
}

/** Refuses what a browser decodes otherwise than dltk: CMYK, and files that are cut off. */
function requireJpeg(bytes, most) {
  for (let at = 2; at + 10 < bytes.length; at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3])) {
    const marker = bytes[at + 1];
    if (bytes[at] !== 0xff) break;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      requirePixels(((bytes[at + 5] << 8) | bytes[at + 6]) * ((bytes[at + 7] << 8) | bytes[at + 8]), most);
      if (bytes[at + 9] === 4) throw new Error("must be RGB: browsers turn a CMYK JPEG into other colours than dltk");
    }
    if (marker === 0xda) {
      for (let end = bytes.length - 2; end > at; end--) if (bytes[end] === 0xff && bytes[end + 1] === 0xd9) return;
      break;
    }
  }
  throw new Error("must be an undamaged image; this JPEG is cut off");
}

/** The orientation in a WebP's EXIF, which is hidden then: some browsers turn the picture by it, others do not. */
function takeWebpOrientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const kind = String.fromCharCode(...bytes.subarray(at, at + 4)), size = view.getUint32(at + 4, true);
    if (kind === "EXIF") {
      bytes.set([0x58, 0x58, 0x58, 0x58], at);
      const body = bytes.subarray(at + 8, at + 8 + size), begin = String.fromCharCode(...body.subarray(0, 6));
      return orientationOf(begin === "Exif\0\0" ? body.subarray(6) : body);
    }
    at += 8 + size + (size & 1);
  }
  return 1;
}

/** The orientation 1..8 in EXIF data (a TIFF file of one directory); 1 where there is none. */
function orientationOf(exif) {
  if (!exif || exif.length < 8) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength), little = exif[0] === 0x49;
  try {
    const start = view.getUint32(4, little), count = view.getUint16(start, little);
    for (let entry = 0; entry < count; entry++) {
      const at = start + 2 + 12 * entry;
      if (view.getUint16(at, little) === 0x0112) {
        return view.getUint16(at + 2, little) === 4 ? view.getUint32(at + 8, little) : view.getUint16(at + 8, little);
      }
    }
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault; // damaged metadata around a sound picture
  }
  return 1;
}
