// Two RTCPeerConnections in one page that may only use relayed addresses, so that all they send crosses the
// server. Each exported function runs one call from start to end and returns what it saw; the test judges.

const chunkSize = 16 * 1024;
const highWater = 256 * 1024;
const lowWater = 64 * 1024;

// Sends `size` random bytes over a data channel and back, and returns the SHA-256 of each stage.
export const echo = (iceServers, size) => withPair(iceServers, async (a, b) => {
  const here = a.createDataChannel('echo');
  const arrived = event(b, 'datachannel');
  await connect(a, b);
  const there = (await within(10_000, 'data channel', arrived)).channel;
  if (here.readyState !== 'open') await within(10_000, 'open data channel', event(here, 'open'));

  const chunks = Array.from({ length: Math.ceil(size / chunkSize) }, (_, index) =>
    crypto.getRandomValues(new Uint8Array(Math.min(chunkSize, size - index * chunkSize))));
  const [, received, returned] = await within(60_000, `echo of ${size} bytes`, Promise.all([
    send(here, chunks),
    send(there, messages(there, size)),
    send(null, messages(here, size)),
  ]));
  const [sent, atB, backAtA] = await Promise.all([chunks, received, returned].map(sha256));
  return { sent, atB, backAtA, paths: await paths(a, b) };
});

// Sends the camera's video until more than `frames` of them are decoded and the picture has moved. Returns
// the frame count and which share of the pixels differed between the first and the last look.
export const camera = (iceServers, frames) => withPair(iceServers, async (a, b) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  try {
    a.addTrack(stream.getVideoTracks()[0], stream);
    const arrived = event(b, 'track');
    await connect(a, b);
    const video = document.querySelector('video');
    video.srcObject = (await within(10_000, 'video track', arrived)).streams[0];
    await within(30_000, 'first frame', video.play());

    const first = grab(video);
    const framesDecoded = await until(60_000, `more than ${frames} decoded frames`, async () => {
      const count = find(await b.getStats(), ({ type }) => type === 'inbound-rtp')?.framesDecoded;
      return count > frames && count;
    });
    const moved = await until(20_000, 'moving picture', () => {
      const share = difference(first, grab(video));
      return share > 0.005 && share;
    });
    return { framesDecoded, moved, paths: await paths(a, b) };
  } finally {
    stream.getTracks().forEach(track => track.stop());
  }
});

async function withPair(iceServers, use) {
  const a = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
  const b = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
  for (const [name, from, to] of [['a', a, b], ['b', b, a]]) {
    from.addEventListener('icecandidate', ({ candidate }) => {
      console.info(`${name}: ${candidate?.candidate || 'end of candidates'}`);
      to.addIceCandidate(candidate).catch(error => console.error(`${name}: ${error}`));
    });
    from.addEventListener('icecandidateerror', ({ url, address, port, errorCode, errorText }) =>
      console.warn(`${name}: no candidate from ${url} by ${address}:${port}: ${errorCode} ${errorText}`));
    from.addEventListener('icegatheringstatechange', () =>
      console.info(`${name}: gathering candidates: ${from.iceGatheringState}`));
    from.addEventListener('connectionstatechange', () => console.info(`${name}: ${from.connectionState}`));
  }
  try {
    return await use(a, b);
  } finally {
    a.close();
    b.close();
  }
}

async function connect(a, b) {
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  await until(30_000, 'connection through the relay', () => {
    for (const { connectionState, iceGatheringState, localDescription } of [a, b]) {
      if (connectionState === 'failed') throw new Error('ICE found no way through the relay');
      if (iceGatheringState === 'complete' && !localDescription.sdp.includes('\na=candidate:'))
        throw new Error('the server gave no relayed address');
    }
    return [a, b].every(({ connectionState }) => connectionState === 'connected');
  });
}

// For each side the candidate types of the pair in use, the server that its relay is on, and the bytes it has
// sent. A check may overtake the signaling: the other side is 'prflx' then, until its candidate is known.
const paths = (a, b) => Promise.all([a, b].map(peer => until(10_000, 'known candidate pair', async () => {
  const stats = await peer.getStats();
  const transport = find(stats, ({ type }) => type === 'transport');
  const pair = stats.get(transport.selectedCandidatePairId);
  const local = stats.get(pair?.localCandidateId);
  const remote = stats.get(pair?.remoteCandidateId);
  const known = local && remote && remote.candidateType !== 'prflx';
  const types = known && `${local.candidateType}/${remote.candidateType}`;
  return known && { types, server: local.url, bytesSent: transport.bytesSent };
})));

// Sends all chunks, waiting while the channel's buffer is full, and returns them. Without a channel it only
// collects them.
async function send(channel, chunks) {
  if (channel) channel.bufferedAmountLowThreshold = lowWater;
  const all = [];
  for await (const chunk of chunks) {
    all.push(chunk);
    if (channel?.bufferedAmount > highWater) await event(channel, 'bufferedamountlow');
    channel?.send(chunk);
  }
  return all;
}

// Yields what arrives on the channel until there are `size` bytes. It listens from the call on, and not only
// when it is read, so that nothing is missed.
function messages(channel, size) {
  channel.binaryType = 'arraybuffer';
  return new ReadableStream({
    start(controller) {
      channel.addEventListener('close', () => controller.error(new Error('the data channel closed early')));
      channel.addEventListener('message', ({ data }) => {
        controller.enqueue(data);
        size -= data.byteLength;
        if (size <= 0) controller.close();
      });
    },
  });
}

async function sha256(chunks) {
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(chunks).arrayBuffer());
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('');
}

function grab(video) {
  const canvas = new OffscreenCanvas(160, 120);
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}

// The share of pixels whose colour clearly changed: more than compression noise does to a still picture.
function difference(before, after) {
  let changed = 0;
  for (let i = 0; i < before.length; i += 4) {
    const change = [0, 1, 2].map(channel => Math.abs(before[i + channel] - after[i + channel]));
    if (Math.max(...change) > 64) changed += 1;
  }
  return changed / (before.length / 4);
}

const find = (stats, wanted) => [...stats.values()].find(wanted);

const event = (target, type) =>
  new Promise(resolve => target.addEventListener(type, resolve, { once: true }));

async function within(milliseconds, what, promise) {
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds));
  return Promise.race([promise, late]);
}

// Asks again and again until the answer is truthy, and returns it.
async function until(milliseconds, what, ask) {
  for (const deadline = performance.now() + milliseconds; performance.now() < deadline;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${milliseconds} ms`);
}
