// Fuzzes the server's side of TLS, from any point of a handshake on. The input's first octet is the version.
// The rest are steps: octets of a stranger, octets of the client with one of them changed, or records of any
// kind under the client's keys.
#include "fuzz/endpoint.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "net/tls_endpoint.hpp"

namespace turnpike::fuzz {
namespace {

constexpr std::size_t kSendSize = 256 << 10;
constexpr std::size_t kReceiveSize = 64 << 10;

void check(Input input) {
  const int version = input.pick({TLS1_2_VERSION, TLS1_3_VERSION});
  Client client(version);
  net::TlsEndpoint server(server_context(net::TlsKind::tls).new_session());
  static net::WireBuffer out(net::WireBuffer::Kind::stream, kSendSize);
  static Octets room(kReceiveSize + net::TlsEndpoint::kMaxRecord);
  out.clear();
  std::optional<test::SealedRecords> sealed;
  client.advance();

  const auto feed = [&](Bytes wire) {
    wire = wire.first(std::min(wire.size(), kReceiveSize));
    const bool could = server.can_receive();
    if (could) expect(server.receive(wire, room, out) <= room.size(), "plain text fits");
    expect(out.size() <= kSendSize, "what is to be sent is bounded");
    expect(could || !server.can_receive(), "an end is an end");
    expect(server.state() != net::TlsEndpoint::State::resting, "nobody had it rest");
  };
  while (!input.empty()) {
    switch (input.pick(7)) {
      case 0: feed(client.said()); break;
      case 1: {
        client.hear(out.bytes());
        out.clear();
        break;
      }
      case 2: {
        Octets said = client.said();
        if (!said.empty()) said[input.u16() % said.size()] ^= input.u8();
        feed(said);
        break;
      }
      case 3: feed(input.take(input.u16())); break;
      case 4: {
        if (version != TLS1_2_VERSION || !client.is_established()) break;
        if (!sealed) sealed.emplace(client.ssl());
        const std::uint8_t type = input.u8();
        const std::uint8_t times = input.u8();
        const Bytes text = input.take(input.u8());
        Octets wire;
        for (int i = 0; i <= times; ++i) sealed->add(type, text, wire);
        feed(wire);
        break;
      }
      case 5: {
        const Bytes text = input.take(1 + input.u8());
        if (server.can_send() && !text.empty()) (void)server.send(text, out);
        break;
      }
      default:
        if (version == TLS1_3_VERSION && client.is_established()) {
          SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
          SSL_do_handshake(client.ssl());
        }
    }
  }
  server.send_close_notify(out);
  expect(!server.can_send(), "nothing follows a goodbye");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check(turnpike::fuzz::Input({data, size}));
  return 0;
}
