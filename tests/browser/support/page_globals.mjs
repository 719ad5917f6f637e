// What the modules of the call page find in every browser, and Node 18 lacks. A test imports this before them.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail } = {}) { super(type); this.detail = detail; }
};
