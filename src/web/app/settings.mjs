// Settings that are stored on this device. When storage is forbidden (private windows), they last until the
// page is reloaded.
const fallback = new Map();

export function remember(name, value) {
  fallback.set(name, value);
  try {
    localStorage.setItem(`turnpike.${name}`, value);
  } catch { /* not allowed: the map has it */ }
}

export function recall(name) {
  try {
    return localStorage.getItem(`turnpike.${name}`) ?? fallback.get(name);
  } catch {
    return fallback.get(name);
  }
}
