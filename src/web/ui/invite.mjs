// The link for other people. It can be copied from the top line, and is shown large to a person who is alone.
import { byId, element, setData } from '../app/dom.mjs';
import { label, say } from '../app/language.mjs';
import { inviteLink } from '../app/link.mjs';
import { copyText } from './clipboard.mjs';
import { toast } from './toast.mjs';

const confirmedFor = 2500;

export class Invite {
  #call;
  #valid = true;
  #copied = 0;

  constructor(call) {
    this.#call = call;
    this.#confirm(false);
    this.offer(true);
  }

  get #link() { return inviteLink(this.#call); }

  // Sets whether the link lets people in. It does not when its token is no longer valid.
  offer(valid) {
    this.#valid = valid;
    byId('invite').disabled = !valid;
  }

  async copy() {
    const link = this.#link;
    if (!await copyText(link)) {
      toast('call.copyFailed', { link });
      return;
    }
    this.#confirm(true);
    toast('call.copied');
    clearTimeout(this.#copied);
    this.#copied = setTimeout(() => this.#confirm(false), confirmedFor);
  }

  card() {
    const card = (...parts) => element('div', { class: 'alone', 'data-testid': 'alone' },
      say(element('b'), 'call.aloneTitle'), ...parts);
    if (!this.#valid) return card(say(element('p'), 'call.aloneNoLink'));
    const link = label(element('input', { readonly: true, value: this.#link }), 'call.link');
    link.addEventListener('focus', () => link.select());
    const copy = say(element('button', {
      type: 'button', class: 'primary', 'data-testid': 'copy-link', onclick: () => this.copy(),
    }), 'call.copyLink');
    const share = navigator.share
      && say(element('button', { type: 'button', class: 'plain' }), 'call.share');
    share?.addEventListener('click', () => navigator.share({ url: this.#link }).catch(() => {}));
    return card(say(element('p'), 'call.alone'), element('div', { class: 'link' }, link, copy, share));
  }

  #confirm(copied) {
    setData(byId('invite'), { state: copied ? 'copied' : undefined });
    say(byId('invite-text'), copied ? 'call.copied' : 'call.invite');
    say(byId('invite-short'), copied ? 'call.copiedShort' : 'call.inviteShort');
  }
}
