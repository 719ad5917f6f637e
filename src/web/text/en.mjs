// English. A text is a string with {names} in it, or a function that gets the same values.
export default {
  close: 'Close',
  language: '한국어',
  languageLabel: '한국어로 보기',
  themeLight: 'Light colours',
  themeDark: 'Dark colours',
  guest: 'Guest',
  you: 'You',
  youNamed: '{name} (you)',

  'lobby.title': 'Ready to join?',
  'lobby.leadInvited': 'You were invited to the room “{room}”.',
  'lobby.leadNew': 'Pick a room, or keep this one, and send its link to the others.',
  'lobby.preview': 'Preview of your camera',
  'lobby.level': 'Microphone level',
  'lobby.room': 'Room',
  'lobby.roomTooLong': 'The room in your link has a name of more than {limit} characters. Ask for another '
    + 'link, or choose a room here.',
  'lobby.another': 'Propose another name',
  'lobby.name': 'Your name',
  'lobby.namePlaceholder': 'How the others see you',
  'lobby.join': 'Join',
  'lobby.joining': 'Joining…',
  'lobby.joinBare': 'Join without camera and microphone',
  'lobby.fine': 'Pictures, sound, chat and files go from browser to browser, encrypted. Where no direct way '
    + 'exists the server passes them on without being able to read them.',
  'lobby.starting': 'Starting your camera…',
  'lobby.cameraOff': 'Your camera is off',
  'lobby.noCamera': 'No picture from you: the others will see your name',
  'lobby.retry': 'Try again',
  'lobby.alone': 'You can join without: see, hear and write.',

  'device.camera': 'Camera',
  'device.microphone': 'Microphone',
  'device.none': 'None found',
  'device.default': 'Default',

  'trouble.insecure': 'Browsers give camera and microphone only to secure pages. Open this page by https://, '
    + 'or by http://localhost on the computer that turnpike runs on.',
  'trouble.audio.missing': 'No microphone was found. Plug one in and it is used at once.',
  'trouble.video.missing': 'No camera was found. Plug one in and it is used at once.',
  'trouble.both.missing': 'No camera and no microphone were found. Plug one in and it is used at once.',
  'trouble.audio.denied': 'This page may not use your microphone. Allow it by the symbol beside the address, '
    + 'then try again.',
  'trouble.video.denied': 'This page may not use your camera. Allow it by the symbol beside the address, '
    + 'then try again.',
  'trouble.both.denied': 'This page may not use your camera and microphone. Allow them by the symbol beside '
    + 'the address, then try again.',
  'trouble.audio.dismissed': 'The browser’s question about the microphone was closed without an answer.',
  'trouble.video.dismissed': 'The browser’s question about the camera was closed without an answer.',
  'trouble.both.dismissed': 'The browser’s question about camera and microphone was closed without an '
    + 'answer.',
  'trouble.audio.blocked-by-system': 'Your system does not let the browser use the microphone. Allow it in '
    + 'the system’s privacy settings.',
  'trouble.video.blocked-by-system': 'Your system does not let the browser use the camera. Allow it in the '
    + 'system’s privacy settings.',
  'trouble.both.blocked-by-system': 'Your system does not let the browser use camera and microphone. Allow '
    + 'them in the system’s privacy settings.',
  'trouble.audio.busy': 'The microphone does not start. Another program may be using it: close that and try '
    + 'again.',
  'trouble.video.busy': 'The camera does not start. Another program may be using it: close that and try '
    + 'again.',
  'trouble.both.busy': 'Camera and microphone do not start. Another program may be using them: close that '
    + 'and try again.',
  'trouble.audio.ended': 'The microphone has gone away. Was it unplugged?',
  'trouble.video.ended': 'The camera has gone away. Was it unplugged?',
  'trouble.both.ended': 'Camera and microphone have gone away. Were they unplugged?',
  'trouble.audio.failed': 'The microphone does not work here.',
  'trouble.video.failed': 'The camera does not work here.',
  'trouble.both.failed': 'Camera and microphone do not work here.',
  'trouble.screen.unsupported': 'This browser cannot share a screen.',
  'trouble.screen.failed': 'The screen could not be shared.',

  'refused.unreachable': 'The server does not answer. Check your connection and try again.',
  'refused.token-required': 'This server lets in only people with an invitation. Ask for a link that has a '
    + 'token in it.',
  'refused.token-invalid': 'The token in your link is not valid here. Ask for a new link.',
  'refused.token-not-yet-valid': 'The token in your link is not valid yet. Try again later, or check the clock of '
    + 'this device and of the server.',
  'refused.token-revoked': 'The token in your link is not valid any more. Ask for a new link.',
  'refused.token-expired': 'The token in your link has expired. Ask for a new link.',
  'refused.room-full': 'This room is full.',
  'refused.bad-room': 'The server does not accept this room name.',
  'refused.bad-name': 'The server does not accept this name.',
  'refused.rate-limited': 'Too many attempts from your address. Wait a moment and try again.',
  'refused.other': 'The server did not let you in: {code}.',
  'refused.again': 'The connection to the server is over: {reason} The call goes on with those who '
    + 'are in it.',

  'token.expired': 'Your invitation has expired. The call goes on, but its link lets nobody in any more, '
    + 'and not you either once you have left. Ask for a new link and open it here.',
  'token.lost': '{reason} The call goes on, but nobody can come in by its link, and not you either once '
    + 'you have left. Open the new link here.',
  'token.renewed': 'The new invitation is in use',

  'control.microphone.off': 'Mute your microphone',
  'control.microphone.on': 'Unmute your microphone',
  'control.camera.off': 'Turn your camera off',
  'control.camera.on': 'Turn your camera on',
  'control.screen.off': 'Stop sharing your screen',
  'control.screen.on': 'Share your screen',

  'call.controls': 'Call controls',
  'call.count': ({ n }) => n === 1 ? 'Only you' : `${n} people`,
  'call.invite': 'Copy invite link',
  'call.inviteShort': 'Invite',
  'call.copyLink': 'Copy',
  'call.copied': 'Link copied',
  'call.copiedShort': 'Copied',
  'call.copyFailed': 'Copy this link: {link}',
  'call.leave': 'Leave the call',
  'call.left': 'You left “{room}”.',
  'call.aloneTitle': 'Nobody else is here yet',
  'call.alone': 'Send this link to those you want to meet.',
  'call.aloneNoLink': 'Your invitation is not valid any more, so its link would let nobody in. Ask for a '
    + 'new link.',
  'call.share': 'Share',
  'call.link': 'Invite link',
  'call.joined': '{name} joined',
  'call.gone': '{name} left',
  'call.goneSeveral': '{n} people left',
  'call.lost': '{name} lost the connection',
  'call.reconnecting': 'The line to the server is down. It is being restored; the call itself goes on.',
  'call.offline': 'This device is offline. Everything comes back by itself when the network does.',
  'call.ending': 'This server stops for maintenance by {time} at the latest. The call goes on until then.',
  'call.back': 'Connected to the server again',
  'call.crowd': 'Everybody here sends to everybody, so each further person costs you more upload and work. '
    + 'Pictures are sent smaller now. A call of more than five or six people needs a fast line for everybody.',
  'call.sound': 'The browser holds the sound back until you click.',
  'call.soundStart': 'Hear the others',
  'call.screenOf': 'Screen of {name}',
  'call.yourScreen': 'Your screen',

  'tile.connecting': 'Connecting…',
  'tile.silent': 'No picture or sound yet',
  'tile.reconnecting': 'Reconnecting…',
  'tile.away': '{name} has no line to the server; the call goes on.',
  'tile.muted': 'Microphone off',
  'tile.facts': 'Connection to {name}: {path}. Show details',

  'path.direct': 'Direct',
  'path.nat': 'Through NAT',
  'path.relay': 'Relayed',
  'path.badge': '{path} · {transport}',
  'path.directWhy': 'From device to device in one network.',
  'path.natWhy': 'From device to device, through a router’s address translation.',
  'path.relayWhy': 'Through the server, since no direct way was found or allowed.',

  'facts.received': 'Received',
  'facts.sent': 'Sent',
  'facts.roundTrip': 'Round trip',
  'facts.loss': 'Loss',
  'facts.here': 'Here',
  'facts.there': 'There',
  'facts.graph': 'Bitrate, round trip and loss of the last minute',

  'settings.title': 'Settings',
  'settings.relayOnly': 'Relay only',
  'settings.relayOnlyText': 'Everything goes through the server, as if no direct way existed; the others do '
    + 'not learn your address.',
  'settings.relayNone': 'This server offers no relay.',

  'chat.title': 'Chat',
  'chat.placeholder': 'Write a message',
  'chat.send': 'Send',
  'chat.attach': 'Send a picture or file',
  'chat.empty': 'Messages and files go straight to those who are here now, also while the server is away. '
    + 'Nothing is stored.',
  'chat.nobody': 'Nobody was here to read this',
  'chat.titleUnread': ({ n }) => `Chat, ${n} unread ${n === 1 ? 'message' : 'messages'}`,
  'chat.tooLong': 'That is too long for one message',

  'file.tooLarge': '{name} is too large: {limit} is the most.',
  'file.nobody': 'Nobody is here to send a file to.',
  'file.accept': 'Accept',
  'file.refuse': 'Decline',
  'file.cancel': 'Cancel',
  'file.download': 'Download',
  'file.progress': 'Progress of {name}',
  'file.waiting': 'Waiting for {name} to accept',
  'file.question': '{name} wants to send you this file',
  'file.sending': 'Sending to {name}',
  'file.receiving': 'Receiving',
  'file.sent': '{name} has it',
  'file.arrived': 'Complete',
  'file.declinedThere': '{name} declined it',
  'file.declinedHere': 'You declined it',
  'file.too-large': 'Refused: larger than {limit}',
  'file.cancelledHere': 'You cancelled it',
  'file.cancelledThere': '{name} cancelled it',
  'file.gone': 'Interrupted: the connection to {name} ended',
  'file.unreadable': 'The file cannot be read any more',

  'diagnostics.open': 'Check connection',
  'diagnostics.title': 'Connection check',
  'diagnostics.again': 'Check again',
  'diagnostics.copy': 'Copy report',
  'diagnostics.copied': 'Copied',
  'diagnostics.asking': 'Asking the server for its addresses…',
  'diagnostics.running': 'Checking, a few seconds…',
  'diagnostics.noAnswer': 'The server did not say which STUN and TURN servers to use ({why}).',
  'diagnostics.needsToken': 'This server tells its STUN and TURN addresses only to people with an '
    + 'invitation: open this page by a link that has a token in it.',
  'diagnostics.noServers': 'This server offers neither STUN nor TURN.',
  'diagnostics.verdicts': 'What works from here',
  'diagnostics.meaning': 'What it means',
  'diagnostics.candidates': 'Every candidate',
  'diagnostics.errors': 'Errors',
  'diagnostics.noErrors': 'None.',
  'diagnostics.noCandidates': 'None yet.',
  'diagnostics.servers': 'Servers asked',
  'column.time': 'Time', 'column.type': 'Type', 'column.protocol': 'Protocol', 'column.address': 'Address',
  'column.port': 'Port', 'column.related': 'Related', 'column.server': 'Server', 'column.code': 'Code',
  'column.text': 'Message',

  'probe.stun': 'STUN',
  'probe.turn-udp': 'TURN over UDP',
  'probe.turn-tcp': 'TURN over TCP',
  'probe.turn-tls': 'TURN over TLS',
  'verdict.absent': 'Not offered by this server.',
  'verdict.running': 'Checking…',
  'verdict.stun.ok': 'Works, after {time} ms. From outside you are seen at {address}.',
  'verdict.stun.same': 'Works, after {time} ms. The server sees you at your own address.',
  'verdict.stun.failed': 'No answer. {why}',
  'verdict.turn.ok': 'Works: an address on the relay after {time} ms, and data sent through it came back in '
    + '{roundTrip} ms.',
  'verdict.turn.allocated': 'An address on the relay after {time} ms, but data to itself did not come back. '
    + 'That may be the server’s policy; a call can work all the same.',
  'verdict.turn.failed': 'Does not work. {why}',
  'why.701': 'The server cannot be reached this way ({text}).',
  'why.401': 'The server refused the credentials (401).',
  'why.other': 'The server answered {code} {text}.',
  'why.silence': 'Nothing came back within {seconds} seconds.',
  'why.firefoxTls': 'Firefox asks no turns: server that is named by an IP address.',

  'summary.good': 'Calls from here will work.',
  'summary.goodText': 'The relay can be used, so even where no direct way exists there is one through the '
    + 'server.',
  'summary.noUdp': 'Calls from here will work, through the relay over {transport}.',
  'summary.noUdpText': 'UDP to the server is blocked here, as in many offices and schools. Expect somewhat '
    + 'more delay.',
  'summary.noRelay': 'Calls from here will often work, but not always.',
  'summary.noRelayOffered': 'A direct way can be found, but this server offers no relay: between two '
    + 'networks that both change ports there will be no call.',
  'summary.noRelayFailed': 'A direct way can be found, but the relay cannot be used: between two networks '
    + 'that both change ports there will be no call.',
  'summary.bad': 'Only people in your own network can be reached from here.',
  'summary.badText': 'Neither STUN nor TURN answered. Is there a firewall between here and the server, or is '
    + 'an address in the list below wrong?',

  'nat.none': 'There is no address translation between you and the server.',
  'nat.some': 'You are behind address translation (NAT): {inside} is seen as {outside}.',
  'nat.someHidden': 'You are behind address translation (NAT), seen as {outside}.',
  'nat.symmetric': 'Two STUN servers see different ports: the NAT is symmetric. With another such network '
    + 'only the relay connects.',
  'nat.cone': 'Two STUN servers see the same port: the NAT is not symmetric, so a direct way is likely.',
  'nat.oneServer': 'Whether the NAT is symmetric cannot be told here: that takes the answers of two STUN '
    + 'servers, and there is one.',
  'note.tunnel': 'This page came through a tunnel or proxy, which carries web pages only. The relay needs an '
    + 'address of its own that others can reach: give it one by signaling.public_host.',
  'note.privateRelay': 'The servers below have addresses that only work in the server’s own network: '
    + '{hosts}.',
  'note.firefoxTls': 'A turns: URL names an IP address. Firefox ignores such URLs; a host name helps.',
};
