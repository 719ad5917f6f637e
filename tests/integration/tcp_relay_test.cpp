// Tests TCP relayed addresses (RFC 6062) on real sockets: data connections that come to any worker, bytes in
// their order, an end for each side, and a side that does not read.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "net/socket_address.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"
#include "support/process.hpp"
#include "support/quiet_port.hpp"
#include "support/relay_client.hpp"
#include "support/relaying.hpp"
#include "support/tls_daemon.hpp"

using namespace turnpike;
using namespace turnpike::test;
using namespace std::chrono_literals;

namespace {

constexpr Transport kStreams[] = {Transport::tcp, Transport::tls};

struct TcpRelayServer : TlsDaemon {
  explicit TcpRelayServer(const std::vector<std::string>& more = {})
      : TlsDaemon(joined(
            more, {R"(listen=["tcp://127.0.0.1:0", "tls://127.0.0.1:0"])", "workers=4", "relay.tcp=true"})) {}

  Endpoint at(Transport transport) const { return daemon.listener(transport == Transport::tcp ? 0 : 1); }
  RelayClient client(Transport transport, const char* user = "alice", const char* password = "secret") const {
    return RelayClient(at(transport), {.credentials = client::Credentials{user, password}}, {}, transport);
  }
};

void allocate_tcp(RelayClient& client) {
  REQUIRE(client.allocate({.requested_transport = stun::kProtocolTcp}) == 0);
}

bool wait_for(int fd, short events) {
  pollfd ready{fd, events, 0};
  return poll(&ready, 1, 20'000) == 1;
}

// A peer's TCP connection.
class PeerSocket {
 public:
  PeerSocket() = default;
  explicit PeerSocket(net::Fd fd) : fd_(std::move(fd)) {}
  explicit PeerSocket(const Endpoint& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const net::SocketAddress address(to);
    REQUIRE(connect(fd_.get(), &address.any, address.size()) == 0);
  }

  Endpoint local() const { return net::local_endpoint(fd_.get()); }
  void send(Bytes bytes) {
    while (!bytes.empty()) {
      REQUIRE(wait_for(fd_.get(), POLLOUT));
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      REQUIRE(sent > 0);
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
  }
  // Sends until the reader would have to be waited for longer than a moment. Returns how much that was.
  std::size_t send_until_full(Bytes bytes) {
    std::size_t total = 0;
    pollfd ready{fd_.get(), POLLOUT, 0};
    while (total < bytes.size() && poll(&ready, 1, 500) == 1) {
      const ssize_t sent =
          ::send(fd_.get(), &bytes[total], bytes.size() - total, MSG_NOSIGNAL | MSG_DONTWAIT);
      REQUIRE(sent > 0);
      total += static_cast<std::size_t>(sent);
    }
    return total;
  }
  // Receives this many octets, or fewer when the other side closes.
  Octets receive(std::size_t count) {
    Octets bytes(count);
    std::size_t total = 0;
    while (total < count) {
      REQUIRE(wait_for(fd_.get(), POLLIN));
      const ssize_t got = recv(fd_.get(), &bytes[total], count - total, 0);
      if (got <= 0) break;
      total += static_cast<std::size_t>(got);
    }
    bytes.resize(total);
    return bytes;
  }
  bool is_closed() { return receive(1).empty(); }
  void close() { fd_ = net::Fd(); }
  int fd() const { return fd_.get(); }

 private:
  net::Fd fd_;
};

class PeerListener {
 public:
  PeerListener() : fd_(net::open_tcp_listener(loopback(Family::ipv4))) {}
  Endpoint local() const { return net::local_endpoint(fd_.get()); }
  PeerSocket accept() {
    REQUIRE(wait_for(fd_.get(), POLLIN));
    std::optional<net::Accepted> accepted = net::accept_tcp(fd_.get());
    REQUIRE(accepted);
    from_ = accepted->from;
    return PeerSocket(std::move(accepted->fd));
  }
  const Endpoint& from() const { return from_; }

 private:
  net::Fd fd_;
  Endpoint from_;
};

// Returns the number in the next ConnectionAttempt, and the peer.
std::pair<std::uint32_t, Endpoint> attempt(RelayClient& control) {
  const auto message = control.receive_raw(10s);
  REQUIRE(message);
  const auto view = stun::MessageView::parse(message->bytes);
  REQUIRE(view.has_value());
  REQUIRE((view->type() == stun::MessageType{stun::Method::connection_attempt, stun::Class::indication}));
  return {
      *stun::decode_connection_id(*view->find(stun::AttributeType::connection_id)),
      *stun::decode_xor_address(*view->find(stun::AttributeType::xor_peer_address), view->transaction_id())};
}

// A client with a TCP relayed address and a peer that it has connected to.
struct Connected {
  Connected(const TcpRelayServer& server, Transport transport, const char* user = "alice",
            const char* password = "secret")
      : control(server.client(transport, user, password)) {
    allocate_tcp(control);
    REQUIRE(control.connect(listener.local()) == 0);
    peer = listener.accept();
  }

  RelayClient control;
  PeerListener listener;
  PeerSocket peer;
};

// Data connections whose peers write as fast as possible.
class Writers {
 public:
  void add(const TcpRelayServer& server, const char* user, const char* password) {
    auto writer = std::make_unique<Writer>(server, user, password);
    REQUIRE(writer->data.bind_connection(writer->connected.control.connection_id()) == 0);
    writers_.push_back(std::move(writer));
  }

  // `each_time` is called about every 20 ms. What a busy machine has kept from being called is not made good
  // by a burst, which a limit would cut.
  template <class EachTime>
  void write_for(std::chrono::milliseconds duration, EachTime&& each_time) {
    const Octets octets(64 << 10, 'z');
    Octets received(256 << 10);
    const auto end = std::chrono::steady_clock::now() + duration;
    auto next = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < end) {
      if (std::chrono::steady_clock::now() >= next) {
        each_time();
        next = std::chrono::steady_clock::now() + 20ms;
      }
      std::vector<pollfd> ready;
      for (const auto& writer : writers_) {
        ready.push_back({writer->connected.peer.fd(), POLLOUT, 0});
        ready.push_back({writer->data.stream().fd(), POLLIN, 0});
      }
      poll(ready.data(), ready.size(), 5);
      for (std::size_t i = 0; i < writers_.size(); ++i) {
        if ((ready[2 * i].revents & POLLOUT) != 0) {
          ::send(ready[2 * i].fd, octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        if ((ready[2 * i + 1].revents & POLLIN) == 0) continue;
        const ssize_t got = recv(ready[2 * i + 1].fd, received.data(), received.size(), MSG_DONTWAIT);
        if (got > 0) writers_[i]->arrived += static_cast<std::size_t>(got);
      }
    }
  }

  std::vector<std::size_t> arrived() const {
    std::vector<std::size_t> all;
    for (const auto& writer : writers_) all.push_back(writer->arrived);
    return all;
  }

 private:
  struct Writer {
    Writer(const TcpRelayServer& server, const char* user, const char* password)
        : connected(server, Transport::tcp, user, password),
          data(server.client(Transport::tcp, user, password)) {}

    Connected connected;
    RelayClient data;
    std::size_t arrived = 0;
  };
  std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace

// The server has four workers. With sixteen data connections, all of them go to one worker in less than one
// of 10^8 runs.
TEST_CASE("a data connection finds its peer, whichever worker it comes to", "[integration][tcp]") {
  TcpRelayServer server;
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    RelayClient control = server.client(transport);
    allocate_tcp(control);
    for (int i = 0; i < 16; ++i) {
      PeerListener listener;
      REQUIRE(control.connect(listener.local()) == 0);
      PeerSocket peer = listener.accept();
      CHECK(listener.from() == control.relayed());
      peer.send(octets("early"));  // before anybody is there to read it
      RelayClient data = server.client(transport);
      REQUIRE(data.bind_connection(control.connection_id()) == 0);
      peer.send(octets(", and later"));
      CHECK((data.stream().receive_bytes(16, 10s) == octets("early, and later")));
      data.stream().send(octets("from the client"));
      CHECK((peer.receive(15) == octets("from the client")));
      peer.close();
      CHECK(data.stream().receive_bytes(1, 10s).empty());
      CHECK(data.stream().closed());
    }
  }
}

// Returns the answer of the daemon's admin listener to a GET.
std::string ask_admin(const Daemon& daemon, const std::string& path) {
  const std::string before = "admin: listening on http://";
  const std::string log = daemon.log();
  const std::size_t at = log.find(before) + before.size();
  const auto admin = Endpoint::parse(log.substr(at, log.find('\n', at) - at));
  REQUIRE(admin);
  PeerSocket connection(*admin);
  connection.send(octets("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
  const Octets answer = connection.receive(1 << 20);
  return {answer.begin(), answer.end()};
}

TEST_CASE("what data connections carry is counted on both sides, for clients by their transport",
          "[integration][tcp]") {
  TcpRelayServer server({"admin.listen=[\"http://127.0.0.1:0\"]"});
  for (const Transport transport : kStreams) {
    Connected connected(server, transport);
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(connected.control.connection_id()) == 0);
    for (int i = 0; i < (transport == Transport::tcp ? 1 : 2); ++i) {
      connected.peer.send(octets("from the peer"));
      REQUIRE((data.stream().receive_bytes(13, 10s) == octets("from the peer")));
      data.stream().send(octets("from the client"));
      REQUIRE((connected.peer.receive(15) == octets("from the client")));
    }
  }
  const std::string metrics = ask_admin(server.daemon, "/metrics");
  for (const std::string series : {
           R"({side="client",direction="rx",transport="tcp"} 15)",
           R"({side="client",direction="tx",transport="tcp"} 13)",
           R"({side="client",direction="rx",transport="tls"} 30)",
           R"({side="client",direction="tx",transport="tls"} 26)",
           R"({side="peer",direction="tx",transport="tcp"} 45)",
           R"({side="peer",direction="rx",transport="tcp"} 39)",
       }) {
    CHECK_THAT(metrics, Catch::Contains("turnpike_relay_bytes_total" + series + "\n"));
  }
  const std::string status = ask_admin(server.daemon, "/status.json");
  CHECK_THAT(status, Catch::Contains(R"("to_peer_bytes":45,"to_client_bytes":39,)"));
}

// Returns the octets of a ConnectionBind with `more` after them.
Octets bind_and(RelayClient& data, std::uint32_t connection, Bytes more) {
  Octets id(4);
  store_u32(id.data(), connection);
  const auto request = data.turn().request(
      {.method = stun::Method::connection_bind, .others = {{stun::AttributeType::connection_id, id}}});
  Octets all(request.bytes.begin(), request.bytes.end());
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST_CASE("what comes in one segment with a ConnectionBind is for the peer", "[integration][tcp]") {
  TcpRelayServer server;
  const Octets looks_like_tls{0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3};
  const Octets looks_like_channel_data{0x40, 0, 0, 4, 'a', 'b', 'c', 'd'};
  const Octets sent[] = {octets("G"), octets("GET / HTTP/1.1\r\n\r\n"), looks_like_tls,
                         looks_like_channel_data, Octets(binding_request())};
  for (const Transport transport : kStreams) {
    for (const Octets& more : sent) {
      CAPTURE(to_string(transport), more);
      Connected connected(server, transport);
      auto& [control, listener, peer] = connected;
      RelayClient data = server.client(transport);
      REQUIRE(data.bind_connection(control.connection_id() ^ 1) == 400);  // has the nonce from now on
      data.send_raw(bind_and(data, control.connection_id(), more));
      const auto answer = data.receive_raw(10s);
      REQUIRE(answer);
      CHECK(stun::MessageView::parse(answer->bytes)->type().message_class == stun::Class::success);
      CHECK((peer.receive(more.size()) == more));
      peer.send(octets("and back"));
      CHECK((data.stream().receive_bytes(8, 10s) == octets("and back")));
    }
  }
}

TEST_CASE("what comes in one segment with a ConnectionBind that is refused is messages",
          "[integration][tcp]") {
  TcpRelayServer server;
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(1) == 400);
    const Octets twice = bind_and(data, 1, binding_request());
    data.send_raw(bind_and(data, 1, twice));
    const std::pair<stun::Method, stun::Class> expected[] = {
        {stun::Method::connection_bind, stun::Class::error},
        {stun::Method::connection_bind, stun::Class::error},
        {stun::Method::binding, stun::Class::success}};
    for (const auto& [method, message_class] : expected) {
      const auto answer = data.receive_raw(10s);
      REQUIRE(answer);
      CHECK((stun::MessageView::parse(answer->bytes)->type() == stun::MessageType{method, message_class}));
    }
  }
}

TEST_CASE("a megabyte each way at once arrives as it was", "[integration][tcp]") {
  TcpRelayServer server;
  const Octets sent = pattern(1 << 20);
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    Connected connected(server, transport);
    auto& [control, listener, peer] = connected;
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(control.connection_id()) == 0);
    constexpr std::size_t kPiece = 64 << 10;
    for (std::size_t at = 0; at < sent.size(); at += kPiece) {
      const Bytes piece = Bytes(sent).subspan(at, kPiece);
      data.stream().send(piece);
      peer.send(piece);
      REQUIRE((peer.receive(kPiece) == Octets(piece.begin(), piece.end())));
      REQUIRE((data.stream().receive_bytes(kPiece, 10s) == Octets(piece.begin(), piece.end())));
    }
    const std::string end = "allocation deleted client=" + control.local().to_string();
    CHECK(control.refresh(0s) == 0);
    REQUIRE(server.daemon.wait_for_log(end));
    const std::string log = server.daemon.log();
    const std::string line = log.substr(log.find(end), log.find('\n', log.find(end)) - log.find(end));
    CHECK_THAT(line, Catch::Contains("rx_bytes=1048576 tx_bytes=1048576"));
  }
}

TEST_CASE("a client that does not read slows down the peer, and nothing is stored for it here",
          "[integration][tcp]") {
  TcpRelayServer server;
  const Octets sent = pattern(64 << 20);
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    Connected connected(server, transport);
    auto& [control, listener, peer] = connected;
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(control.connection_id()) == 0);
    const std::size_t before = resident_kib(server.daemon.pid());
    const std::size_t taken = peer.send_until_full(sent);
    CHECK(taken < sent.size());
    CHECK(resident_kib(server.daemon.pid()) < before + 4096);

    RelayClient other = server.client(transport);  // meanwhile
    CHECK(other.allocate() == 0);
    const Octets arrived = data.stream().receive_bytes(taken, 30s);
    CHECK((arrived == Octets(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(taken))));
  }
}

// The test has only a lower bound for the time, since a busy machine makes it longer and never shorter.
TEST_CASE("a data connection is slowed to what its allocation may relay, and nothing of it is lost",
          "[integration][tcp]") {
  constexpr std::size_t kPerSecond = 200'000;
  TcpRelayServer server({"limits.bytes_per_second_per_allocation=" + std::to_string(kPerSecond)});
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    Connected connected(server, transport);
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(connected.control.connection_id()) == 0);
    const Octets sent = pattern(2 * kPerSecond);
    const auto started = std::chrono::steady_clock::now();
    connected.peer.send(sent);
    CHECK((data.stream().receive_bytes(sent.size(), 30s) == sent));
    CHECK(std::chrono::steady_clock::now() - started > 1600ms);
  }
}

TEST_CASE("data connections that share a limit get about the same, whichever workers they belong to",
          "[integration][tcp]") {
  constexpr std::size_t kPerSecond = 1 << 20;
  const std::string key = GENERATE("limits.bytes_per_second=", "limits.bytes_per_second_per_user=");
  TcpRelayServer server({key + std::to_string(kPerSecond)});
  const bool is_of_all = key.find("user") == std::string::npos;
  Writers writers;
  for (int i = 0; i < 6; ++i) {
    const bool is_bob = is_of_all && i % 2 != 0;
    writers.add(server, is_bob ? "bob" : "alice", is_bob ? "hunter2" : "secret");
  }
  const auto started = std::chrono::steady_clock::now();
  writers.write_for(5s, [] {});
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  const std::vector<std::size_t> arrived = writers.arrived();
  CAPTURE(key, arrived);
  const auto [least, most] = std::ranges::minmax(arrived);
  CHECK(most <= 2 * least);
  // A tenth of a second may arrive at once.
  CHECK(std::accumulate(arrived.begin(), arrived.end(), std::size_t{0}) <=
        static_cast<std::size_t>((elapsed.count() + 0.1) * 1.05 * kPerSecond));
}

TEST_CASE("a call keeps its datagrams beside a data connection that takes all it gets",
          "[integration][tcp]") {
  const auto per_second = GENERATE(200'000, 1'000'000);
  TcpRelayServer server({"limits.bytes_per_second=" + std::to_string(per_second)});
  RelayClient call = server.client(Transport::tcp, "bob", "hunter2");
  client::UdpSocket peer(loopback(Family::ipv4));
  REQUIRE(call.allocate() == 0);
  REQUIRE(call.permit(peer.local()) == 0);
  Writers writers;
  writers.add(server, "alice", "secret");
  const Octets voice(160, 'v');
  std::size_t sent = 0;
  std::size_t arrived = 0;
  const auto talk = [&] {
    peer.send_to(voice, call.relayed());
    ++sent;
    call.stream().receive_all([&](Bytes) { ++arrived; });
  };
  writers.write_for(3s, talk);
  while (arrived < sent && call.receive(1s)) ++arrived;
  CAPTURE(per_second, sent, arrived, writers.arrived());
  CHECK(arrived >= sent * 95 / 100);
  CHECK(server.daemon.wait_for_log(
      "a data connection was slowed down because of limits.bytes_per_second, which is " +
      std::to_string(per_second)));
}

TEST_CASE("the last words of a peer arrive, and then the end", "[integration][tcp]") {
  TcpRelayServer server;
  const Octets sent = pattern(1 << 20);
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    Connected connected(server, transport);
    auto& [control, listener, peer] = connected;
    peer.send_until_full(octets("gone before anybody came"));
    peer.close();
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(control.connection_id()) == 0);
    CHECK((data.stream().receive_bytes(100, 10s) == octets("gone before anybody came")));
    CHECK(data.stream().closed());
    // The peer's address can be used for another connection, because the allocation's worker was told of the
    // end.
    int code = 446;
    for (int tries = 0; code == 446 && tries < 100; ++tries) code = control.connect(listener.local());
    CHECK(code == 0);
  }
}

// Asks until the allocation's worker has been told that the former connection has ended.
int connect_again(RelayClient& control, const Endpoint& peer) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  int code = 446;
  while (code == 446 && std::chrono::steady_clock::now() < end) code = control.connect(peer);
  return code;
}

// The server has four workers, so the former connections are in several of them.
TEST_CASE("a client that has closed a data connection can connect to the same peer again",
          "[integration][tcp]") {
  const bool closes = GENERATE(true, false);
  TcpRelayServer server;
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport), closes);
    Connected connected(server, transport);
    for (int i = 0; i < 4; ++i) {
      RelayClient data = server.client(transport);
      REQUIRE(data.bind_connection(connected.control.connection_id()) == 0);
      data.stream().send(octets("the last words"));
      data.disconnect();
      CHECK((connected.peer.receive(100) == octets("the last words")));
      if (closes) connected.peer.close();
      REQUIRE(connect_again(connected.control, connected.listener.local()) == 0);
      connected.peer = connected.listener.accept();
      CHECK(connected.listener.from() == connected.control.relayed());
    }
  }
}

TEST_CASE("peers connect to the relayed address, where they may", "[integration][tcp]") {
  TcpRelayServer server;
  for (const Transport transport : kStreams) {
    CAPTURE(to_string(transport));
    RelayClient control = server.client(transport);
    allocate_tcp(control);
    PeerSocket stranger(control.relayed());
    CHECK(stranger.is_closed());
    REQUIRE(control.permit(loopback(Family::ipv4)) == 0);
    PeerSocket peer(control.relayed());
    peer.send(octets("hello"));
    const auto [id, from] = attempt(control);
    CHECK(from == peer.local());

    CHECK(server.client(transport, "bob", "hunter2").bind_connection(id) == 400);
    RelayClient data = server.client(transport);
    REQUIRE(data.bind_connection(id) == 0);
    CHECK((data.stream().receive_bytes(5, 10s) == octets("hello")));
    data.disconnect();
    CHECK(peer.is_closed());
  }
}

TEST_CASE("after a 400 to ConnectionBind, the connection continues", "[integration][tcp]") {
  TcpRelayServer server;
  for (const Transport transport : kStreams) {
    RelayClient data = server.client(transport);
    CHECK(data.bind_connection(4711) == 400);
    CHECK(data.allocate() == 0);
  }
}

TEST_CASE("the end of the control connection ends all data connections", "[integration][tcp]") {
  TcpRelayServer server;
  for (const auto& [transport, by_refresh] :
       {std::pair{Transport::tcp, true}, {Transport::tcp, false}, {Transport::tls, false}}) {
    CAPTURE(to_string(transport), by_refresh);
    RelayClient control = server.client(transport);
    allocate_tcp(control);
    std::vector<PeerSocket> peers;
    std::vector<std::unique_ptr<RelayClient>> clients;
    for (int i = 0; i < 8; ++i) {
      PeerListener listener;
      REQUIRE(control.connect(listener.local()) == 0);
      peers.push_back(listener.accept());
      if (i % 2 == 0) continue;  // nobody has bound those
      clients.emplace_back(new RelayClient(server.client(transport)));
      REQUIRE(clients.back()->bind_connection(control.connection_id()) == 0);
    }
    if (by_refresh) {
      REQUIRE(control.refresh(0s) == 0);
    } else {
      control.disconnect();
    }
    for (PeerSocket& peer : peers) CHECK(peer.is_closed());
    for (const auto& data : clients) {
      CHECK(data->stream().receive_bytes(1, 10s).empty());
      CHECK(data->stream().closed());
    }
  }
}

TEST_CASE("a peer that refuses causes a 447", "[integration][tcp]") {
  TcpRelayServer server;
  const IpAddress address = loopback(Family::ipv4).address;
  const Endpoint nobody = quiet_endpoint(address);
  RelayClient control = server.client(Transport::tcp);
  allocate_tcp(control);
  CHECK(control.connect(nobody) == 447);
  CHECK(control.connect(server.at(Transport::tcp)) == 403);  // our own listener
}

TEST_CASE("an address of the other kind on the same port does not stand in the way", "[integration][tcp]") {
  TcpRelayServer server;
  RelayClient tcp = server.client(Transport::tcp);
  allocate_tcp(tcp);
  RelayClient udp = server.client(Transport::tcp);
  REQUIRE(udp.allocate() == 0);
  CHECK(tcp.relayed() != udp.relayed());
  // A UDP datagram to a TCP relayed address reaches nobody.
  REQUIRE(tcp.permit(loopback(Family::ipv4)) == 0);
  client::UdpSocket peer(loopback(Family::ipv4));
  peer.send_to(octets("x"), tcp.relayed());
  CHECK(tcp.refresh(600s) == 0);
}
