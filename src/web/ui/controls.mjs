// The controls that both the lobby and the call have: microphone, camera, screen, devices, language and
// colours.
import { element, isPaused, pause, setData } from '../app/dom.mjs';
import { currentLanguage, label, onLanguage, say, setLanguage, t } from '../app/language.mjs';
import { recall, remember } from '../app/settings.mjs';
import { iconSpan } from './icons.mjs';
import { toast } from './toast.mjs';

const icons = {
  microphone: ['mic-off', 'mic'], camera: ['camera-off', 'camera'], screen: ['screen', 'screen'],
};

export function bindMedia(media) {
  const isOn = {
    microphone: () => media.microphoneOn, camera: () => media.cameraOn, screen: () => media.screenOn,
  };
  const set = {
    microphone: on => media.setMicrophone(on),
    camera: on => media.setCamera(on),
    screen: on => media.setScreen(on),
  };
  const buttons = document.querySelectorAll('[data-toggle]');
  for (const button of buttons) {
    const { toggle } = button.dataset;
    if (toggle === 'screen') button.classList.add('neutral');
    button.addEventListener('click', async () => {
      if (isPaused(button)) return;
      const wanted = !isOn[toggle]();
      pause(button, toggle !== 'microphone'); // a camera takes some time to open
      await set[toggle](wanted);
      pause(button, false);
      const kind = toggle === 'microphone' ? 'audio' : 'video';
      if (wanted && toggle !== 'screen' && !isOn[toggle]()) toast(troubleKey(kind, media.trouble[kind]));
    });
  }
  const selects = document.querySelectorAll('select[data-device]');
  for (const select of selects)
    select.addEventListener('change', () => media.choose(select.dataset.device, select.value));

  const show = () => {
    for (const button of buttons) {
      const { toggle } = button.dataset;
      const on = isOn[toggle]();
      const state = on ? 'on' : 'off';
      if (button.dataset.state !== state) button.replaceChildren(iconSpan(icons[toggle][Number(on)]));
      setData(button, { state });
      label(button, `control.${toggle}.${on ? 'off' : 'on'}`);
    }
    for (const select of selects) showDevices(select, media);
  };
  media.addEventListener('change', show);
  media.addEventListener('trouble', ({ detail: { kind, code } }) => toast(troubleKey(kind, code)));
  onLanguage(() => { for (const select of selects) delete select.dataset.shown; show(); });
  show();
}

export const troubleKey = (kind, code) => code === 'insecure' ? 'trouble.insecure'
  : `trouble.${kind}.${code ?? 'failed'}`;

function showDevices(select, media) {
  const kind = select.dataset.device;
  const devices = media.devices[kind];
  const chosen = media.deviceOf(kind) ?? '';
  const text = JSON.stringify([devices.map(({ deviceId, label: name }) => [deviceId, name]), chosen]);
  if (select.dataset.shown === text) return;
  select.dataset.shown = text;
  const known = devices.filter(({ deviceId }) => deviceId);
  const word = t(kind === 'video' ? 'device.camera' : 'device.microphone');
  select.replaceChildren(...known.map(({ deviceId, label: name }, index) =>
    element('option', { value: deviceId }, name || `${word} ${index + 1}`)));
  if (!known.length)
    select.append(element('option', { value: '' }, t(devices.length ? 'device.default' : 'device.none')));
  select.disabled = !known.length;
  if (known.some(({ deviceId }) => deviceId === chosen)) select.value = chosen;
}

export function bindSwitches() {
  const languages = document.querySelectorAll('[data-switch="language"]');
  for (const button of languages) {
    button.addEventListener('click', () => setLanguage(currentLanguage() === 'ko' ? 'en' : 'ko'));
    const text = say(element('span'), 'language');
    text.lang = currentLanguage() === 'ko' ? 'en' : 'ko';
    onLanguage(language => { text.lang = language === 'ko' ? 'en' : 'ko'; });
    button.append(iconSpan('globe'), text);
    label(button, 'languageLabel');
  }

  const dark = matchMedia('(prefers-color-scheme: dark)');
  const current = () => recall('theme') ?? (dark.matches ? 'dark' : 'light');
  const themes = document.querySelectorAll('[data-switch="theme"]');
  const show = () => {
    if (recall('theme')) document.documentElement.dataset.theme = recall('theme');
    const next = current() === 'dark' ? 'light' : 'dark';
    const name = next === 'dark' ? 'themeDark' : 'themeLight';
    for (const button of themes) {
      const text = 'withText' in button.dataset && say(element('span'), name);
      button.replaceChildren(iconSpan(next === 'dark' ? 'moon' : 'sun'), ...text ? [text] : []);
      label(button, name);
    }
  };
  for (const button of themes)
    button.addEventListener('click', () => {
      remember('theme', current() === 'dark' ? 'light' : 'dark');
      show();
    });
  dark.addEventListener('change', show);
  show();
}
