// Makes elements without markup, so that a stranger's text can never become HTML.
const svgNamespace = 'http://www.w3.org/2000/svg';

export const byId = id => document.getElementById(id);

// element('button', { class: 'plain', onclick: …, 'data-x': 1 }, 'text', otherElement)
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter(child => child !== undefined && child !== null && child !== false));
  return node;
}

// Makes a button do nothing for some time. It keeps the focus, which an element that is disabled loses. Its
// handlers have to ask isPaused().
export function pause(button, paused) {
  if (paused) button.setAttribute('aria-disabled', 'true');
  else button.removeAttribute('aria-disabled');
}

export const isPaused = button => button.hasAttribute('aria-disabled');

// Writes only changed values, so that screen readers do not repeat a live region and styles are not computed
// again.
export function setData(node, values) {
  for (const [name, value] of Object.entries(values)) {
    const text = value === undefined || value === null ? undefined : String(value);
    if (node.dataset[name] === text) continue;
    if (text === undefined) delete node.dataset[name];
    else node.dataset[name] = text;
  }
}
