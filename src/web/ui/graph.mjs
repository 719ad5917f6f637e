// The graph in the panel of facts, as paths of an SVG. Above are the bit rates in both directions as lines,
// below the round trip as a line and the loss as bars. Each of the three has a scale of its own.
export const width = 240;
export const height = 60;
export const bands = { rates: { top: 1, bottom: 38 }, quality: { top: 43, bottom: 59 } };

const seconds = 60;
// What fills a band at least, so that small changes of small values stay small.
const leastRate = 100_000; // bits per second
const leastRoundTrip = 100; // milliseconds
const leastLoss = 0.05;

// `samples` are those of meter.mjs, one for each of the last seconds.
export function drawGraph(samples) {
  const of = field => samples.map(sample => sample[field]);
  const [received, sent, roundTrip, loss] = ['received', 'sent', 'roundTrip', 'loss'].map(of);
  const rate = Math.max(leastRate, ...received, ...sent);
  return {
    received: line(received, bands.rates, rate),
    sent: line(sent, bands.rates, rate),
    roundTrip: line(roundTrip, bands.quality, Math.max(leastRoundTrip, ...roundTrip)),
    loss: bars(loss, bands.quality, Math.max(leastLoss, ...loss)),
  };
}

const xOf = (index, count) => (width - (count - 1 - index) * (width / (seconds - 1))).toFixed(1);
const yOf = (value, { top, bottom }, most) => (bottom - (bottom - top) * value / most).toFixed(1);

// The line has a gap where a value is missing.
function line(values, band, most) {
  let drawn = '';
  values.forEach((value, index) => {
    if (value === null) return;
    const goesOn = index > 0 && values[index - 1] !== null;
    drawn += `${goesOn ? 'L' : 'M'}${xOf(index, values.length)},${yOf(value, band, most)}`;
  });
  return drawn;
}

function bars(values, band, most) {
  return values.map((value, index) => value > 0
    ? `M${xOf(index, values.length)},${band.bottom}V${yOf(value, band, most)}`
    : '').join('');
}
