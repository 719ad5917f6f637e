// Measures how loud a microphone is, from 0 to 1, about fifteen times a second. Chromium can read the samples
// directly. Other browsers need an AudioContext, which may start only after the person has touched the page.
export function watchLevel(track, tell) {
  if (!track) return () => {};
  return 'MediaStreamTrackProcessor' in globalThis ? bySamples(track, tell) : byAnalyser(track, tell);
}

const scale = power => Math.min(1, Math.sqrt(power) * 4);

function bySamples(track, tell) {
  const copy = track.clone();
  copy.enabled = true; // a copy of a muted track would give silence for ever
  const reader = new globalThis.MediaStreamTrackProcessor({ track: copy }).readable.getReader();
  let samples = new Float32Array(0);
  let told = 0;
  let loudest = 0;
  (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      if (samples.length < value.numberOfFrames) samples = new Float32Array(value.numberOfFrames);
      const part = samples.subarray(0, value.numberOfFrames);
      value.copyTo(part, { planeIndex: 0, format: 'f32-planar' });
      value.close();
      loudest = Math.max(loudest, part.reduce((sum, sample) => sum + sample * sample, 0) / part.length);
      if (performance.now() - told < 66) continue;
      told = performance.now();
      tell(track.enabled ? scale(loudest) : 0);
      loudest = 0;
    }
  })().catch(() => {});
  return () => { reader.cancel().catch(() => {}); copy.stop(); };
}

function byAnalyser(track, tell) {
  let context = null;
  let timer = 0;
  const start = () => {
    context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 512 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      tell(scale(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length));
    }, 66);
  };
  if (navigator.userActivation?.hasBeenActive ?? true) start();
  else addEventListener('pointerdown', start, { once: true });
  return () => {
    removeEventListener('pointerdown', start);
    clearInterval(timer);
    context?.close().catch(() => {});
  };
}
