// The laboratory consists of a public network with the server on it, and of two homes, each behind a router.
// Every machine is a network namespace. This process is on the public network too, as a stranger. The whole
// laboratory is inside the namespaces that tests/natlab/run made, and ends with them.
//
//     server 203.0.113.2, .3 ──┬── this process 203.0.113.254
//                  router a .11┴─ router b .12
//          host-a1, host-a2 ─┘     └─ host-b1
import { execFileSync } from 'node:child_process';
import { natRules } from './nat.mjs';

export const server = { namespace: 'server', addresses: ['203.0.113.2', '203.0.113.3'], signalingPort: 8080 };
export const stranger = { address: '203.0.113.254' };
export const publicNetwork = '203.0.113.0/24';

const plan = [
  { name: 'a', wan: '203.0.113.11', lan: '192.168.1', hosts: 2 },
  { name: 'b', wan: '203.0.113.12', lan: '192.168.2', hosts: 1 },
];

// The words in front of a command that make it run in a namespace. nsenter becomes the command, so the pid
// stays the same and signals reach the command.
export const inside = namespace => ['nsenter', `--net=/run/netns/${namespace}`, '--'];

const run = (argv, input = '') => execFileSync(argv[0], argv.slice(1), { input, encoding: 'utf8' });
const runIn = (namespace, argv, input) => run([...inside(namespace), ...argv], input);
const ip = (...lines) => run(['ip', '-batch', '-'], lines.join('\n'));
const ipIn = (namespace, ...lines) => runIn(namespace, ['ip', '-batch', '-'], lines.join('\n'));

// The namespace has no IPv6, whose link-local addresses would give a path around the NATs on the public
// network.
const addNamespace = (name, { forward = 0 } = {}) => {
  ip(`netns add ${name}`);
  runIn(name, ['sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6;
    echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; echo ${forward} > /proc/sys/net/ipv4/ip_forward`]);
  ipIn(name, 'link set lo up');
};

function plugIntoPublicNetwork(namespace, addresses) {
  ip(`link add wan netns ${namespace} type veth peer name ${namespace}`,
    `link set ${namespace} master public up`);
  ipIn(namespace, ...addresses.map(address => `address add ${address}/24 dev wan`), 'link set wan up');
}

function addHome({ name, wan, lan, hosts }) {
  const router = `router-${name}`;
  addNamespace(router, { forward: 1 });
  plugIntoPublicNetwork(router, [wan]);
  ipIn(router, 'link add lan type bridge', `address add ${lan}.1/24 dev lan`, 'link set lan up');
  const addHost = number => {
    const namespace = `host-${name}${number}`;
    const address = `${lan}.${100 + number}`;
    addNamespace(namespace);
    ip(`link add eth0 netns ${namespace} type veth peer name port${number} netns ${router}`);
    ipIn(router, `link set port${number} master lan up`);
    ipIn(namespace, `address add ${address}/24 dev eth0`, 'link set eth0 up',
      `route add default via ${lan}.1`);
    return { namespace, address };
  };

  // Returns bytes and packets of each counter in nat.mjs since the last setNat.
  function counters() {
    const { nftables } = JSON.parse(runIn(router, ['nft', '--json', 'list', 'counters']));
    return Object.fromEntries(nftables.filter(({ counter }) => counter)
      .map(({ counter: { name: key, bytes, packets } }) => [key, { bytes, packets }]));
  }

  const setNat = kind => runIn(router, ['nft', '-f', '-'],
    natRules(kind, { servers: server.addresses.join(', '), signalingPort: server.signalingPort }));

  const machines = Array.from({ length: hosts }, (_, index) => addHost(index + 1));
  return { router, wan, hosts: machines, setNat, counters };
}

// Makes the laboratory and returns its homes, { a, b }. A home needs a setNat before anything can leave it.
export function makeLab() {
  if (process.env.NATLAB !== 'inside') throw new Error('use tests/natlab/run, which protects the host');
  ip('link add public type bridge', `address add ${stranger.address}/24 dev public`, 'link set public up');
  addNamespace(server.namespace);
  plugIntoPublicNetwork(server.namespace, server.addresses);
  return Object.fromEntries(plan.map(home => [home.name, addHome(home)]));
}

// Adds another machine to the public network.
export function addMachine(namespace, address) {
  addNamespace(namespace);
  plugIntoPublicNetwork(namespace, [address]);
  return { namespace, address };
}

// Returns the routes of the namespace, to prove that none leads outside.
export const routes = namespace => runIn(namespace, ['ip', 'route']).trim().split('\n');
