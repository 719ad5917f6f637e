// The page's icons, as strokes on a 24 × 24 field.
import { svg } from '../app/dom.mjs';

const strokes = {
  mic: 'M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21',
  'mic-off': 'M9 9v2a3 3 0 0 0 4.6 2.5M15 11V6a3 3 0 0 0-5.7-1.3M5.5 11a6.5 6.5 0 0 0 10 5.5M18.5'
    + ' 11a6.4 6.4 0 '
    + '0 1-.6 2.7M12 17.5V21M4 3l16 18',
  camera: 'M4 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2zM15 11l6-3.5v9L15 13',
  'camera-off': 'M8.5 6.5H13a2 2 0 0 1 2 2V11l6-3.5v9l-4-2.3M15 15.5a2 2 0 0 1-2 2H4a2 2 0 0'
    + ' 1-2-2v-7a2 2 0 0 1 '
    + '1.2-1.8M4 3l16 18',
  screen: 'M4 4h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM8 21h8M12'
    + ' 13.5V8M9.5 10 12 7.5 14.5 10',
  chat: 'M4 4h16a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-8l-5 4v-4H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM7 9h10M7 12.5h6',
  sliders: 'M4 6h9M17 6h3M4 12h3M11 12h9M4 18h9M17 18h3M15 4v4M9 10v4M15 16v4',
  leave: 'M3.5 14.5c-1-1-1-2.6 0-3.6 4.7-4.5 12.3-4.5 17 0 1 1 1 2.6 0 3.6l-.9.9c-.6.6-1.6.7-2.3.2l-1.7-1.2c'
    + '-.5-.4-.8-1-.8-1.6v-1.4a13 13 0 0 0-5.6 0v1.4c0 .6-.3 1.2-.8 1.6l-1.7 1.2c-.7.5-1.7.4-2.3-.2z',
  link: 'M10 14a4 4 0 0 0 5.7 0l3.6-3.6a4 4 0 0 0-5.7-5.7L12.3 6M14 10a4 4 0 0 0-5.7 0l-3.6 3.6a4 4 0 0 0 '
    + '5.7 5.7L11.7 18',
  share: 'M12 15V3.5M8 7.5 12 3.5l4 4M6 11H5a1.5 1.5 0 0 0-1.5 1.5v6A1.5 1.5 0 0 0 5 20h14a1.5 1.5 0 0 0 '
    + '1.5-1.5v-6A1.5 1.5 0 0 0 19 11h-1',
  copy: 'M9 8h10a1.5 1.5 0 0 1 1.5 1.5v10A1.5 1.5 0 0 1 19 21H9a1.5 1.5 0 0 1-1.5-1.5v-10A1.5 1.5 0 '
    + '0 1 9 8zM16 4.5A1.5 1.5 0 0 0 14.5 3H5a1.5 1.5 0 0 0-1.5 1.5V15A1.5 1.5 0 0 0 5 16.5',
  check: 'M4.5 12.5l5 5 10-11',
  close: 'M6 6l12 12M18 6L6 18',
  send: 'M4 12l16-8-6 17-3-7z',
  clip: 'M20 11.5l-8.3 8.3a5 5 0 0 1-7-7l8.5-8.5a3.4 3.4 0 0 1 4.8 4.8L9.7 17.3a1.7 1.7 0 0'
    + ' 1-2.4-2.4l7.5-7.5',
  dice: 'M4 12a8 8 0 0 1 14-5.3L20 9M20 4v5h-5M20 12a8 8 0 0 1-14 5.3L4 15M4 20v-5h5',
  again: 'M4 12a8 8 0 0 1 14-5.3L20 9M20 4v5h-5M20 12a8 8 0 0 1-14 5.3L4 15M4 20v-5h5',
  pulse: 'M2.5 12h4l3-7 5 14 3-7h4',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4'
    + ' 1.4M17.3 17.3l1.4 '
    + '1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  globe: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c2.5 2.5 3.5 5.5 3.5 9s-1 6.5-3.5'
    + ' 9c-2.5-2.5-3.5-5.5'
    + '-3.5-9s1-6.5 3.5-9z',
  warning: 'M12 4l9.5 16h-19zM12 10v4.5M12 17.3v.2',
};

function icon(name) {
  return svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', {
      d: strokes[name], fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8,
      'stroke-linecap': 'round', 'stroke-linejoin': 'round',
    }));
}

// Puts an icon into every element of the markup that has data-icon.
export function fillIcons(root = document) {
  for (const node of root.querySelectorAll('[data-icon]')) node.replaceChildren(icon(node.dataset.icon));
}

export function iconSpan(name) {
  const span = document.createElement('span');
  span.dataset.icon = name;
  span.append(icon(name));
  return span;
}
