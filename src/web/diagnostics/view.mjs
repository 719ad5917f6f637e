// The connection check as a dialog: first the verdict in words, then the measurements behind it.
import { byId, element, isPaused, pause, setData } from '../app/dom.mjs';
import { onLanguage, say, t } from '../app/language.mjs';
import { readLink } from '../app/link.mjs';
import { copyText } from '../ui/clipboard.mjs';
import { compareMappings, probe, targetsOf } from './probe.mjs';
import { remarks, summary, verdicts, withPort } from './verdict.mjs';

const copiedFor = 2500;

export class Diagnostics {
  #iceServers;
  #dialog = byId('diagnostics');
  #run = 0;
  #found = null; // { targets, results, seen, mappings, problem }
  #copied = 0;

  // `iceServers()` returns those of the call, or nothing; then the server is asked for them.
  constructor({ iceServers, onClose }) {
    this.#iceServers = iceServers;
    this.#dialog.addEventListener('close', () => {
      this.#run += 1;
      onClose();
    });
    byId('diagnostics-close').addEventListener('click', () => this.#dialog.close());
    const click = (id, handler) => byId(id).addEventListener('click', ({ currentTarget }) => {
      if (!isPaused(currentTarget)) handler();
    });
    click('diagnostics-again', () => this.#start());
    click('diagnostics-copy', () => this.#copy());
    onLanguage(() => this.#show());
  }

  open() {
    if (this.#dialog.open) return;
    this.#dialog.showModal();
    this.#start();
  }

  async #start() {
    this.#run += 1;
    const run = this.#run;
    const found = {
      targets: [], results: [], seen: [], mappings: [], problem: { key: 'diagnostics.asking' },
    };
    this.#found = found;
    this.#state('running');
    const show = () => { if (run === this.#run) this.#show(); };
    show();
    const { servers, problem } = await this.#ask();
    found.problem = problem;
    if (servers) {
      found.targets = targetsOf(servers);
      show();
      const saw = entry => { found.seen.push(entry); show(); };
      await Promise.all([
        ...found.targets.map(async target => {
          found.results.push(await probe(target, saw));
          show();
        }),
        this.#compare(found),
      ]);
    }
    if (run !== this.#run) return;
    this.#state('done');
    this.#show();
  }

  async #compare(found) {
    const stun = found.targets.filter(({ kind }) => kind === 'stun');
    if (stun.length > 1) found.mappings = await compareMappings(stun);
  }

  async #ask() {
    const inCall = this.#iceServers();
    if (inCall?.length) return { servers: inCall };
    const { token } = readLink();
    try {
      const response = await fetch('ice-servers', {
        cache: 'no-store', headers: token ? { authorization: `Bearer ${token}` } : {},
      });
      if (response.status === 401) return { problem: { key: 'diagnostics.needsToken' } };
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const { iceServers } = await response.json();
      return iceServers?.length ? { servers: iceServers } : { problem: { key: 'diagnostics.noServers' } };
    } catch (error) {
      return { problem: { key: 'diagnostics.noAnswer', values: { why: error.message } } };
    }
  }

  #state(state) {
    setData(byId('report'), { state });
    for (const id of ['diagnostics-again', 'diagnostics-copy']) pause(byId(id), state === 'running');
  }

  #show() {
    if (!this.#found || !this.#dialog.open) return;
    const { targets, results, seen, problem } = this.#found;
    const running = byId('report').dataset.state === 'running';
    if (problem) {
      byId('report').replaceChildren(summaryBox(problem, null, running ? '' : 'bad'));
      return;
    }
    const list = verdicts(targets, results);
    const { tone, title, text } = running ? { title: { key: 'diagnostics.running' } } : summary(list);
    const more = running ? [] : this.#remarks();
    byId('report').replaceChildren(
      summaryBox(title, text, tone),
      section('diagnostics.verdicts', element('div', { class: 'verdicts' }, ...list.map(verdictBox))),
      more.length && section('diagnostics.meaning', element('ul', { 'data-testid': 'remarks' },
        ...more.map(({ key, values }) => element('li', { 'data-remark': key }, t(key, values))))),
      section('diagnostics.candidates', candidateTable(seen)),
      section('diagnostics.errors', errorTable(seen)),
      section('diagnostics.servers', element('ul', {}, ...targets.map(({ url }) => element('li', {}, url)))),
    );
  }

  #remarks() {
    return remarks({ ...this.#found, page: location });
  }

  async #copy() {
    if (!await copyText(this.#text())) return;
    say(byId('diagnostics-copy-text'), 'diagnostics.copied');
    setData(byId('diagnostics-copy'), { state: 'copied' });
    clearTimeout(this.#copied);
    this.#copied = setTimeout(() => {
      say(byId('diagnostics-copy-text'), 'diagnostics.copy');
      setData(byId('diagnostics-copy'), { state: undefined });
    }, copiedFor);
  }

  // The report for an e-mail. It contains addresses, which are its subject, but no credentials.
  #text() {
    const { targets, results, seen, problem } = this.#found;
    const lines = [`turnpike: ${t('diagnostics.title')}`, `${new Date().toISOString()}  ${location.origin}`,
      navigator.userAgent, ''];
    if (problem) return [...lines, t(problem.key, problem.values)].join('\n');
    const list = verdicts(targets, results);
    const { title, text } = summary(list);
    const table = rows => rows.map(row => row.join('  '));
    return [...lines, t(title.key, title.values), t(text.key), '',
      ...list.map(verdict => `${t(`probe.${verdict.kind}`)}: ${sentence(verdict)}`), '',
      ...this.#remarks().map(({ key, values }) => `- ${t(key, values)}`), '',
      `${t('diagnostics.candidates')}:`, ...table(candidateRows(seen)), '',
      `${t('diagnostics.errors')}:`, ...table(errorRows(seen)), '',
      `${t('diagnostics.servers')}:`, ...targets.map(({ url }) => url), ''].join('\n');
  }
}

const sentence = ({ key, values, why }) => t(key, { ...values, why: why && t(why.key, why.values) });

const section = (title, ...content) => element('section', {}, element('h2', {}, t(title)), ...content);

function summaryBox(title, text, tone) {
  return element('div', { class: 'summary', 'data-testid': 'summary', 'data-tone': tone, role: 'status' },
    element('b', {}, t(title.key, title.values)), text && element('p', {}, t(text.key, text.values)));
}

const verdictBox = verdict => element('div',
  { class: 'verdict', 'data-testid': 'verdict', 'data-probe': verdict.kind, 'data-state': verdict.state },
  element('h3', {}, t(`probe.${verdict.kind}`)), element('p', {}, sentence(verdict)));

const related = ({ relatedAddress: address, relatedPort: port }) =>
  address ? withPort({ address, port }) : '';

const candidateRows = seen => seen.filter(({ candidate }) => candidate).map(({ candidate }) => [
  `${candidate.time} ms`, candidate.type,
  candidate.relayProtocol ? `${candidate.protocol} (${candidate.relayProtocol})` : candidate.protocol,
  candidate.address ?? '', candidate.port ?? '', related(candidate), candidate.url,
].map(String));

const errorRows = seen => seen.filter(({ error }) => error).map(({ error }) => [
  `${error.time} ms`, error.code, error.text, error.address ? withPort(error) : '', error.url,
].map(String));

const candidateTable = seen => table(['time', 'type', 'protocol', 'address', 'port', 'related', 'server'],
  candidateRows(seen), 'candidate', 'diagnostics.noCandidates');

const errorTable = seen => table(['time', 'code', 'text', 'address', 'server'],
  errorRows(seen), 'candidate-error', 'diagnostics.noErrors');

function table(columns, rows, name, none) {
  if (!rows.length) return element('p', { class: 'fine' }, t(none));
  return element('div', { class: 'table-box', tabindex: 0 }, element('table', {},
    element('thead', {}, element('tr', {}, ...columns.map(column =>
      element('th', { scope: 'col' }, t(`column.${column}`))))),
    element('tbody', {}, ...rows.map(row => element('tr', { 'data-testid': name },
      ...row.map(cell => element('td', {}, cell)))))));
}
