// The model's output to answers, and to a verdict about the golden samples.

/** Scores as dltk.edge.families.shared.labels has them, out of one sample's output. */
function scoresOf(output, signature) {
  const last = signature.postprocess.at(-1) ?? { op: "identity" }, values = Array.from(output);
  if (last.op === "softmax") {
    const scaled = values.map((value) => value / (last.temperature ?? 1));
    const largest = scaled.reduce((a, b) => Math.max(a, b)), powers = scaled.map((value) => Math.exp(value - largest));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }
  if (last.op !== "sigmoid") return values;
  return values.map((value) => 1 / (1 + Math.exp(-Math.min(500, Math.max(-500, value)))));
}

/** [{label, score}], best first: the `top` best, or, where a sample may have several, those over the threshold. */
function labelsOf(output, signature, top) {
  const last = signature.postprocess.at(-1) ?? {}, several = last.op === "sigmoid" || "threshold" in last;
  const scores = scoresOf(output, signature);
  const found = scores.map((score, place) => ({ label: signature.labels[place] ?? String(place), score }));
  found.sort((a, b) => b.score - a.score);
  return several ? found.filter(({ score }) => score >= (last.threshold ?? 0.5)) : found.slice(0, top);
}

/** The class of every pixel, and the share of each class that occurs, largest first. */
function maskOf(output, signature) {
  const [, , , classes] = signature.outputs[0].shape, mask = new Uint8Array(output.length / classes);
  const counts = new Array(classes).fill(0);
  for (let pixel = 0; pixel < mask.length; pixel++) {
    let best = 0;
    for (let each = 1; each < classes; each++) {
      if (output[pixel * classes + each] > output[pixel * classes + best]) best = each;
    }
    mask[pixel] = best;
    counts[best]++;
  }
  const label = (number) => signature.labels[number] ?? String(number);
  const shares = counts.map((count, number) => ({ label: label(number), number, score: count / mask.length }));
  return { mask, shares: shares.filter(({ score }) => score).sort((a, b) => b.score - a.score) };
}

/** Throws where an output is not `size` finite numbers. */
function requireNumbers(output, size) {
  if (output.length !== size) throw new Error(`the model gave ${output.length} numbers, not ${size}`);
  if (!output.every(Number.isFinite)) throw new Error("the model gave numbers that are not finite: no prediction");
}

/** Throws where an output can be no answer: what a runtime gives that fails without saying so. */
function requireAnswer(output, size) {
  requireNumbers(output, size);
  if (output.every((value) => value === 0)) throw new Error("the model gave nothing but zeros: no prediction");
  if (size > 1 && output.every((value) => value === output[0])) {
    throw new Error("the model gave one number everywhere: no prediction");
  }
}

/**
 * {passed, words}: outputs of the golden samples against the reference's, by what the bundle was sealed with.
 *
 * What was measured at export is dltk.edge.recorded_errors's `check_replay`, and decides as it does. Of bundles without it the limits
 * of the whole file are asked of these few samples.
 */
function judge(found, wanted, parity) {
  if (parity.measure === "golden_error") return held(found, wanted, parity);
  if (parity.measure === "max_abs") {
    const errors = found.flatMap((output, i) => Array.from(output, (value, at) => Math.abs(value - wanted[i][at])));
    const error = errors.reduce((a, b) => Math.max(a, b), 0);
    const words = `largest difference ${short(error)}, at most ${short(parity.limit)}`;
    return { passed: error <= parity.limit, words };
  }
  const cosine = found.reduce((sum, output, i) => sum + cosineOf(output, wanted[i]), 0) / found.length;
  return { passed: cosine >= parity.limit, words: `mean cosine ${cosine.toFixed(5)}, at least ${short(parity.limit)}` };
}

/** No sample may lie farther from the reference than it did at export, plus the margin; all in units. */
function held(found, wanted, { unit, errors, margin }) {
  const apart = found.map((output, i) => largestOf(output, (value, at) => Math.abs(value - wanted[i][at]) / unit));
  let worst = 0;
  apart.forEach((error, i) => {
    if (!(error - errors[i] <= apart[worst] - errors[worst])) worst = i;
  });
  const words = `sample ${worst + 1} lies ${short(apart[worst])} from the reference, ${short(errors[worst])} at export`;
  const passed = found.length > 0 && apart.every((error, i) => error <= errors[i] + margin);
  return { passed, words: `${words}, at most ${short(errors[worst] + margin)}` };
}

/** The largest of `measure(value, place)`; NaN where one is. */
function largestOf(values, measure) {
  let largest = 0;
  values.forEach((value, at) => {
    const found = measure(value, at);
    if (!(found <= largest)) largest = found;
  });
  return largest;
}

function cosineOf(a, b) {
  let both = 0, left = 0, right = 0;
  for (let i = 0; i < a.length; i++) {
    both += a[i] * b[i];
    left += a[i] * a[i];
    right += b[i] * b[i];
  }
  return left && right ? both / Math.sqrt(left * right) : Number(left === right);
}

const short = (value) => String(Number(value.toPrecision(3)));
const asPercent = (score) => (score >= 0 && score <= 1 ? `${(100 * score).toFixed(1)}%` : score.toPrecision(4));

/** The colours of PASCAL VOC for class numbers, as dltk's masks have them. */
function colourOf(number) {
  const colour = [0, 0, 0];
  for (let bit = 0; bit < 24; bit++) colour[bit % 3] |= ((number >> bit) & 1) << (7 - Math.floor(bit / 3));
  return colour;
}
