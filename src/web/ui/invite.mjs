// The link for other people. It can be copied from the top line, and is shown large to a person who is alone.
import { byId, element, setData } from '../app/dom.mjs';
import { label, say } from '../app/language.mjs';
import { inviteLink } from '../app/link.mjs';
import { copyText } from './clipboard.mjs';
import { toast } from './toast.mjs';

const confirmedFor = 2500;

export class Invite {
  #link;
  #copied = 0;

  constructor({ room, token }) {
    this.#link = inviteLink({ room, token });
    this.#confirm(false);
  }

  async copy() {
    if (!await copyText(this.#link)) {
      toast('call.copyFailed', { link: this.#link });
      return;
    }
    this.#confirm(true);
    toast('call.copied');
    clearTimeout(this.#copied);
    this.#copied = setTimeout(() => this.#confirm(false), confirmedFor);
  }

  card() {
    const link = label(element('input', { readonly: true, value: this.#link }), 'call.link');
    link.addEventListener('focus', () => link.select());
    const share = navigator.share
      && say(element('button', { type: 'button', class: 'primary' }), 'call.share');
    share?.addEventListener('click', () => navigator.share({ url: this.#link }).catch(() => {}));
    return element('div', { class: 'alone', 'data-testid': 'alone' },
      say(element('b'), 'call.aloneTitle'), say(element('p'), 'call.alone'),
      element('div', { class: 'link' }, link, share));
  }

  #confirm(copied) {
    setData(byId('invite'), { state: copied ? 'copied' : undefined });
    say(byId('invite-text'), copied ? 'call.copied' : 'call.invite');
    say(byId('invite-short'), copied ? 'call.copiedShort' : 'call.inviteShort');
  }
}
