// Asks for the numbers every two seconds and shows them. All texts are inserted as text, never as markup.
const interval = 2000;
const soon = 14 * 24 * 3600 * 1000;

const oneDigit = { minimumFractionDigits: 1, maximumFractionDigits: 1 };

const byId = id => document.getElementById(id);
const words = name => name.replaceAll('_', ' ');

let before = null; // the previous answer and its time

function scaled(value, units, step = 1000) {
  let unit = 0;
  while (value >= step && unit + 1 < units.length) {
    value /= step;
    ++unit;
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

const rate = octets => scaled(octets * 8, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} days`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

function cell(content) {
  const td = document.createElement('td');
  td.append(content);
  return td;
}

function fill(id, rows) {
  const body = byId(id).tBodies[0];
  body.replaceChildren(...rows.map(cells => {
    const row = document.createElement('tr');
    row.append(...cells.map(cell));
    return row;
  }));
  byId(id).hidden = rows.length === 0;
  const empty = byId(id).parentElement.querySelector('.empty');
  if (empty) empty.hidden = rows.length !== 0;
}

function meter({ used, limit }) {
  if (!limit) return '';
  const bar = document.createElement('meter');
  Object.assign(bar, { min: 0, max: limit, value: used, low: limit * 0.8, high: limit * 0.9, optimum: 0 });
  bar.title = `${Math.round(100 * used / limit)} %`;
  return bar;
}

function expiry(text) {
  const time = document.createElement('time');
  time.dateTime = text;
  time.textContent = new Date(text).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  if (new Date(text) - Date.now() < soon) time.className = 'soon';
  return time;
}

// A name that may go on in the next line behind each of its dots.
function breakable(name) {
  const span = document.createElement('span');
  name.split('.').forEach((label, i) => span.append(...i > 0 ? ['.', document.createElement('wbr')] : [], label));
  return span;
}

const counted = counters => Object.entries(counters).filter(([, value]) => value > 0)
  .sort((a, b) => b[1] - a[1]).map(([name, value]) => [words(name), value.toLocaleString()]);

function show(status) {
  const now = performance.now();
  if (before && status.uptime_s < before.status.uptime_s) before = null; // it was started again meanwhile
  const seconds = before ? (now - before.at) / 1000 : Math.max(1, status.uptime_s);
  const gained = name => (status[name] - (before ? before.status[name] : 0)) / seconds;
  byId('version').textContent = status.version;
  byId('state').textContent = `${status.draining ? 'draining' : 'ready'}, up ${duration(status.uptime_s)}`;
  byId('state').className = status.draining ? 'draining' : '';
  byId('allocations').textContent = status.allocations.toLocaleString();
  byId('up').textContent = rate(gained('to_peer_bytes'));
  byId('down').textContent = rate(gained('to_client_bytes'));
  byId('requests').textContent = gained('requests').toLocaleString(undefined, oneDigit);
  fill('limits', status.limits.map(one =>
    [words(one.name), one.used.toLocaleString(), one.limit ? one.limit.toLocaleString() : 'no limit', meter(one)]));
  fill('refused', counted(status.refused));
  fill('dropped', counted(status.dropped));
  fill('workers', status.per_worker.map((one, i) => {
    const earlier = before ? before.status.per_worker[i] : { to_peer_bytes: 0, to_client_bytes: 0 };
    return [String(i), one.allocations.toLocaleString(), rate((one.to_peer_bytes - earlier.to_peer_bytes) / seconds),
      rate((one.to_client_bytes - earlier.to_client_bytes) / seconds)];
  }));
  fill('nodes', status.nodes.map(one => [breakable(one.self ? `${one.name} (this one)` : one.name),
    one.name_used_twice ? 'name used twice' : one.draining ? 'draining' : one.ready ? 'ready' : 'not ready', one.allocations.used.toLocaleString(),
    rate(one.octets_per_second), meter({ used: one.load, limit: 1 })]));
  byId('cluster').hidden = status.nodes.length === 0;
  fill('certificates', status.certificates.map(one => [breakable(one.name || '(no name)'), expiry(one.expires)]));
  byId('listeners').replaceChildren(...status.listeners.map(url => {
    const item = document.createElement('li');
    item.textContent = url;
    return item;
  }));
  before = { at: now, status };
}

async function refresh() {
  try {
    const answer = await fetch('/status.json', { cache: 'no-store', signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    byId('state').textContent = `no answer (${error.message})`;
    byId('state').className = 'bad';
    before = null;
  }
  setTimeout(refresh, interval);
}

refresh();
