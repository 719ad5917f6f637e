// Who this page is to the others, whatever member id the server has given it: after a restart of the server
// everybody comes back under a new id. `instance` is the tab and survives a reload; `load` is this very page,
// and with it its RTCPeerConnections, which do not.
import { randomId } from './random.mjs';

const key = 'turnpike.instance';

function tab() {
  try {
    const known = sessionStorage.getItem(key);
    if (known) return known;
    const made = randomId();
    sessionStorage.setItem(key, made);
    return made;
  } catch {
    return randomId();
  }
}

export const identity = Object.freeze({ instance: tab(), load: randomId() });
