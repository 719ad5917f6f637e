// The fragment of the page's address: #room=blue&token=…&diagnostics. A fragment never reaches a server.
import { pick } from './random.mjs';

const adjectives = ('amber brave bright calm clear cosy dusty early fair fresh gentle golden happy honest ' +
  'kind light lively lucky mild neat noble open plain quick quiet ready silver sunny tidy warm wise young')
  .split(' ');
const animals = ('badger bear beaver crane deer dolphin eagle falcon finch fox hare heron horse koala lark ' +
  'lynx magpie marten moose otter owl panda puffin raven robin seal sparrow swan tiger turtle whale wren')
  .split(' ');
const places = ('bay beach bridge canyon cliff creek field forest garden glen grove harbor hill island ' +
  'lagoon lake meadow mesa moor orchard park peak plaza pond prairie ridge river shore spring trail valley')
  .split(' ');

export const roomLimit = 64; // characters

export const isTooLong = room => [...room].length > roomLimit;

export const proposeRoom = () => [adjectives, animals, places].map(pick).join('-');

export function readLink() {
  const parts = new URLSearchParams(location.hash.replace(/^#/, ''));
  return {
    room: (parts.get('room') ?? '').trim(),
    token: parts.get('token') || undefined,
    diagnostics: parts.has('diagnostics'),
  };
}

function fragment({ room, token, diagnostics }) {
  const parts = [];
  if (room) parts.push(`room=${encodeURIComponent(room)}`);
  if (token) parts.push(`token=${encodeURIComponent(token)}`);
  if (diagnostics) parts.push('diagnostics');
  return parts.length ? `#${parts.join('&')}` : '';
}

// Changes the fragment without a hashchange event and without a new history entry.
export function writeLink(link) {
  history.replaceState(history.state, '', location.pathname + location.search + fragment(link));
}

// The link for other people. It contains a token only if this person has come with one.
export const inviteLink = ({ room, token }) =>
  new URL(location.pathname + fragment({ room, token }), location.origin).href;
