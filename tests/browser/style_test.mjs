// Tests the colours of the call page and of the status page, without a browser.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../src/web/style/', import.meta.url);
const sheets = Object.fromEntries(readdirSync(folder).map(name => [name, readFileSync(new URL(name, folder), 'utf8')]));
const status = readFileSync(new URL('../../src/admin/page/status.css', import.meta.url), 'utf8');
const pairsOf = text => Object.fromEntries([...text.matchAll(/(--[\w-]+): light-dark\((#\w+), (#\w+)\);/g)].map(([, name, ...pair]) => [name, pair]));
const both = pairsOf(sheets['base.css']);

// Returns the text without what browsers skip that do not know light-dark().
function withoutPairs(text, least) {
  const start = text.indexOf('@supports (color: light-dark(');
  const pairs = Object.entries(pairsOf(text));
  assert.ok(start > 0 && pairs.length > least);
  for (const [name, [light]] of pairs) assert.ok(text.slice(0, start).includes(`  ${name}: ${light};`), name);
  assert.match(text.slice(0, start), /color-scheme: light;/);
  return text.slice(0, start) + text.slice(text.indexOf('\n}\n', start));
}

test('browsers without light-dark() have all colours of the light page', () => {
  const seen = { ...sheets, 'base.css': withoutPairs(sheets['base.css'], 10), 'status.css': withoutPairs(status, 7) };
  for (const [name, text] of Object.entries(seen))
    assert.doesNotMatch(text, /light-dark\(|data-theme/, `${name}: outside of what they skip`);
});

// WCAG 2.2, 1.4.3
test('text can be read in the light and in the dark', () => {
  const channel = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = colour => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) =>
    sum + weight * channel(parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16) / 255), 0);
  const contrast = (a, b) => {
    const [less, more] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (more + 0.05) / (less + 0.05);
  };
  assert.equal(contrast('#000000', '#ffffff').toFixed(3), '21.000');
  for (const [text, ...grounds] of [['ink', 'ground', 'surface', 'raised', 'accent-soft', 'warn-soft'],
    ['soft', 'ground', 'surface', 'raised', 'tile', 'accent-soft', 'warn-soft'], ['accent', 'ground', 'surface', 'accent-soft'],
    ['on-accent', 'accent'], ['danger', 'surface', 'danger-soft'], ['warn', 'ground', 'surface', 'warn-soft']])
    for (const ground of grounds)
      for (const scheme of [0, 1]) {
        const [front, back] = [both[`--${text}`][scheme], both[`--${ground}`][scheme]];
        assert.ok(contrast(front, back) >= 4.5, `${text} on ${ground}: ${front} on ${back}`);
      }
});
