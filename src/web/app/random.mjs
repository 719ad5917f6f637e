const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

export function randomId(length = 22) {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), byte => alphabet[byte % 36]).join('');
}

export const pick = list => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];
