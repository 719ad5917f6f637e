// A front end as in a course on video calls: nothing here is special for turnpike. Such a project needs only
// one change: where iceServers come from.
const socket = io();
const messages = document.getElementById('messages');
let roomName;
let myStream;
let peer;
let channel;

const show = text => messages.appendChild(Object.assign(document.createElement('li'), { textContent: text }));

async function initCall() {
  myStream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  document.getElementById('myFace').srcObject = myStream;
  const configuration = await (await fetch('/ice-servers')).json();
  const relayOnly = new URLSearchParams(location.search).has('relay');
  peer = new RTCPeerConnection({ ...configuration, ...relayOnly && { iceTransportPolicy: 'relay' } });
  peer.addEventListener('icecandidate', ({ candidate }) => socket.emit('ice', candidate, roomName));
  peer.addEventListener('track', ({ streams }) => { document.getElementById('peerFace').srcObject = streams[0]; });
  myStream.getTracks().forEach(track => peer.addTrack(track, myStream));
}

document.getElementById('enter').addEventListener('submit', async event => {
  event.preventDefault();
  roomName = document.getElementById('room').value;
  await initCall();
  socket.emit('join_room', roomName);
});

document.getElementById('chat').addEventListener('submit', event => {
  event.preventDefault();
  const { value } = document.getElementById('text');
  channel.send(value);
  show(`You: ${value}`);
});

socket.on('welcome', async () => {
  channel = peer.createDataChannel('chat');
  channel.addEventListener('message', ({ data }) => show(`Peer: ${data}`));
  const offer = await peer.createOffer();
  await peer.setLocalDescription(offer);
  socket.emit('offer', offer, roomName);
});

socket.on('offer', async offer => {
  peer.addEventListener('datachannel', event => {
    channel = event.channel;
    channel.addEventListener('message', ({ data }) => show(`Peer: ${data}`));
  });
  await peer.setRemoteDescription(offer);
  const answer = await peer.createAnswer();
  await peer.setLocalDescription(answer);
  socket.emit('answer', answer, roomName);
});

socket.on('answer', answer => peer.setRemoteDescription(answer));
socket.on('ice', candidate => peer.addIceCandidate(candidate));
socket.on('bye', () => show('Peer left'));
