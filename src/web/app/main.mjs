// The call page: the lobby, then one call after another. The diagnostics can open above both.
//
// What tests may rely on:
//   body        data-view lobby|call   data-line online|offline   data-self the member id the server gave us
//   by data-testid, in the lobby: room name join join-bare mic camera camera-choice microphone-choice preview
//     (data-camera, data-microphone on|off) device-notes (its .note has data-note, the trouble) join-problem
//     lobby-lead language open-diagnostics retry
//   in the call: room-name count (data-count) grid tile badge facts line-banner token-banner crowd-note alone
//     copy-link invite (data-state copied) mic-call camera-call screen-call (data-state on|off) open-chat
//     open-settings leave camera-choice-call microphone-choice-call relay-only open-diagnostics-call
//     language-call
//   tile        data-kind camera|screen   data-self true|false   data-peer its member id   data-name
//               data-state connecting|connected|reconnecting|self   data-mic data-camera on|off
//               data-speaking true|false   data-path direct|nat|relay   data-transport udp|tcp|tls
//               data-flat true|false: it is too low for more than one line that may be cut
//               data-frames data-audio-packets data-audio-energy: decoded and received, renewed each second
//   chat-panel  chat-log chat-text chat-send file-input message (data-own) file file-name picture download
//               transfer (data-direction in|out, data-progress, data-state offered|running|done|refused|
//               cancelled|failed) file-accept file-refuse file-cancel
//   diagnostics report (data-state idle|running|done) summary (data-tone good|poor|bad) verdict (data-probe
//               stun|turn-udp|turn-tcp|turn-tls, data-state ok|failed|absent|running) candidate
//               diagnostics-again diagnostics-copy diagnostics-close
import { Diagnostics } from '../diagnostics/view.mjs';
import { bindMedia, bindSwitches } from '../ui/controls.mjs';
import { fillIcons } from '../ui/icons.mjs';
import { Lobby } from '../ui/lobby.mjs';
import { refusal, Stage } from '../ui/stage.mjs';
import { Call } from './call.mjs';
import { setData } from './dom.mjs';
import { translatePage } from './language.mjs';
import { readLink, writeLink } from './link.mjs';
import { LocalMedia } from './media.mjs';

const socketUrl = () => {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  url.search = '';
  return url.href;
};

const media = new LocalMedia();
let call = null;
let stage = null;

fillIcons();
bindSwitches();
bindMedia(media);
const lobby = new Lobby(media, join);
const diagnostics = new Diagnostics({
  iceServers: () => call?.iceServers,
  onClose: () => writeLink({ room: call?.room || readLink().room, token: readLink().token }),
});

async function join({ room, name, bare }) {
  const { token } = readLink();
  const joining = new Call(socketUrl(), media);
  try {
    if (bare) media.decline();
    await joining.join({ room, name, token });
    enter(joining);
  } catch (error) {
    lobby.problem(refusal(error.code), { code: error.code });
  }
}

function enter(entered) {
  call = entered;
  writeLink({ room: call.room, token: call.token, diagnostics: readLink().diagnostics });
  lobby.close();
  setData(document.body, { view: 'call' });
  stage = new Stage(call, media, { leave });
}

function leave({ stay = true } = {}) {
  if (!call) return;
  const { room } = call;
  call.leave();
  stage.close();
  media.setScreen(false);
  if (!stay) media.stop();
  call = stage = null;
  setData(document.body, { view: 'lobby', line: undefined, self: undefined });
  if (stay) lobby.open({ left: room });
}

function followLink() {
  const { room, token, diagnostics: check } = readLink();
  if (check) diagnostics.open();
  if (!call) {
    lobby.followLink();
  } else if (room && room !== call.room) {
    leave();
  } else if (token && token !== call.token) {
    if (call.refused) leave();
    else stage.renew(token);
  }
}

for (const button of document.querySelectorAll('[data-open="diagnostics"]'))
  button.addEventListener('click', () => {
    writeLink({ ...readLink(), diagnostics: true });
    diagnostics.open();
  });
addEventListener('hashchange', followLink);
addEventListener('pagehide', () => leave({ stay: false }));
addEventListener('pageshow', ({ persisted }) => { if (persisted) location.reload(); });

translatePage();
setData(document.body, { view: 'lobby' });
lobby.open();
if (readLink().diagnostics) diagnostics.open();
