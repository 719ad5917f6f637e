// The identity of this page for the other pages. It does not depend on member ids, which change when the
// server restarts. `instance` identifies the tab and survives a reload. `load` identifies this load of the
// page, and so its RTCPeerConnections, which do not survive a reload.
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
