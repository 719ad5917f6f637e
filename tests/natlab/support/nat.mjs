// What a router does, as rules for nftables: one ruleset for each kind of NAT, and counters that tell which
// way the traffic went. Every kind drops in INPUT what nobody behind it asked for: a packet that is taken in
// leaves an entry in conntrack, and the host's own packet to that stranger would get another port.

const masquerade = (...how) => `
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan" masquerade ${how.join(',')}
  }`;

// Ports from 32768 on are chosen by a hash. nftables 1.1 accepts no number for a port, so a map has the port
// of each hash.
const hashedPorts = 4096;
const portsByHash = () => Array.from({ length: hashedPorts }, (_, hash) => `${hash} : ${32768 + 4 * hash}`).join(', ');

// The kinds by name: `forward` comes before all other forwarding rules, `chains` are the kind's own.
const kinds = {
  // A port of the host has one port outside, whatever the peer is. Only a peer that was sent to may answer.
  'cone': { chains: masquerade('persistent') },

  // Like the one above, but anybody who knows the port outside may send to it. Linux has no such NAT: a map
  // learns which host has which port, since masquerade keeps the port unless two hosts use the same one.
  'full-cone': {
    forward: 'iifname "lan" oifname "wan" meta l4proto udp update @mappings { udp sport : ip saddr }',
    chains: `
  map mappings {
    type inet_service : ipv4_addr
    flags dynamic,timeout
    timeout 5m
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    iifname "wan" meta l4proto udp dnat to udp dport map @mappings
  }
  ${masquerade()}`,
  },

  // Like full-cone, but only for peers whose address was sent to, with any port.
  'restricted-cone': {
    forward: 'iifname "lan" oifname "wan" meta l4proto udp update @mappings { udp sport : ip saddr }' +
      ' update @known { ip daddr . udp sport }',
    chains: `
  map mappings {
    type inet_service : ipv4_addr
    flags dynamic,timeout
    timeout 5m
  }
  set known {
    type ipv4_addr . inet_service
    flags dynamic,timeout
    timeout 5m
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    iifname "wan" meta l4proto udp ip saddr . udp dport @known dnat to udp dport map @mappings
  }
  ${masquerade()}`,
  },

  // The port outside is another one for each address that is sent to, but the same for all ports of this
  // address.
  'address-dependent': {
    chains: `
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan" meta l4proto udp masquerade to :jhash ip daddr . udp sport mod ${hashedPorts} map { ${portsByHash()} }
    oifname "wan" masquerade
  }`,
  },

  // The port outside is another one for each peer.
  'symmetric': { chains: masquerade('random', 'fully-random') },

  // These are firewalls of offices and hotels. They drop packets instead of refusing them, which is harder
  // for clients that wait.
  'udp-blocked': {
    forward: 'oifname "wan" meta l4proto udp counter name refused drop',
    chains: masquerade(),
  },
  // This one examines what goes to port 443, and drops STUN by its magic cookie.
  'tls-443-only': {
    forward: 'oifname "wan" tcp dport != 443 counter name refused drop\n' +
      '    oifname "wan" meta l4proto != tcp counter name refused drop\n' +
      '    oifname "wan" @ih,32,32 0x2112a442 counter name refused drop',
    chains: masquerade(),
  },
};

// The ruleset of a router, with the interfaces lan and wan, in place of the one that it has. Its counters:
//   refused     packets that it let neither in nor out
//   server_udp  to and from the server's addresses; server_tcp without what goes to its page and signaling
//   peers       to and from everybody else
export const natRules = (kind, { servers, signalingPort }) => `
table ip lab
delete table ip lab
table ip lab {
  counter refused {}
  counter server_udp {}
  counter server_tcp {}
  counter peers {}
  chain input {
    type filter hook input priority filter; policy drop
    iifname "wan" counter name refused
  }
  chain forward {
    type filter hook forward priority filter; policy drop
    ${kinds[kind].forward ?? ''}
    ct state established,related accept
    iifname "lan" accept
    ct status dnat accept
  }
  chain count {
    type filter hook forward priority filter + 1
    oifname != "wan" iifname != "wan" accept
    meta l4proto tcp ip daddr { ${servers} } tcp dport ${signalingPort} accept
    meta l4proto tcp ip saddr { ${servers} } tcp sport ${signalingPort} accept
    meta l4proto tcp ip daddr { ${servers} } counter name server_tcp accept
    meta l4proto tcp ip saddr { ${servers} } counter name server_tcp accept
    ip daddr { ${servers} } counter name server_udp accept
    ip saddr { ${servers} } counter name server_udp accept
    counter name peers
  }
  ${kinds[kind].chains}
}
`;
