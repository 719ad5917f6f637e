// Fuzzes the server's side of DTLS, from any point of a handshake on. The input is a list of steps: datagrams
// of a stranger, datagrams of the client with one octet changed, or records of any kind under the client's
// keys.
#include "fuzz/endpoint.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "net/dtls.hpp"
#include "turnpike/crypto/digest.hpp"

namespace turnpike::fuzz {
namespace {

using State = net::DtlsAssociation::State;

constexpr std::size_t kMaxWaiting = 256 << 10;

// Begins with a hello that has a cookie: parse_dtls_hello() reads the first record of the client, and any
// cookie is accepted here, since it is verified elsewhere.
void begin(Client& client) {
  client.advance();
  const Octets first = client.said();
  const auto hello = net::parse_dtls_hello(first);
  expect(hello.has_value(), "OpenSSL begins with a hello");
  client.hear(net::make_hello_verify(*hello, {}));
}

void check(Input input) {
  static net::DtlsBuffers buffers;
  buffers.reset();
  Client client(0);
  begin(client);
  const Octets second = client.said();
  const auto hello = net::parse_dtls_hello(second);
  expect(hello.has_value(), "OpenSSL goes on with a hello");
  net::DtlsAssociation server(server_context(net::TlsKind::dtls), *hello, buffers);
  State state = server.start(second);
  std::optional<test::SealedRecords> sealed;

  std::vector<Bytes> messages;
  const auto feed = [&](Octets datagram) {
    if (state == State::ended || net::parse_dtls_hello(datagram)) return;
    messages.clear();
    state = server.receive(datagram, messages);
    std::size_t waiting = 0;
    for (const Bytes one : buffers.datagrams()) waiting += one.size();
    expect(waiting <= kMaxWaiting, "what is to be sent is bounded");
    std::size_t heard = 0;
    for (const Bytes message : messages) heard += message.size();
    expect(heard <= datagram.size() + net::DtlsAssociation::kMaxEarlyOctets, "messages were sent");
  };
  while (!input.empty()) {
    switch (input.pick(7)) {
      case 0: feed(client.said()); break;
      case 1: {
        for (const Bytes datagram : buffers.datagrams()) client.hear(datagram);
        buffers.reset();
        break;
      }
      case 2: {
        Octets said = client.said();
        if (!said.empty()) said[input.u16() % said.size()] ^= input.u8();
        feed(said);
        break;
      }
      case 3: {
        const Bytes raw = input.take(input.u16());
        feed({raw.begin(), raw.end()});
        break;
      }
      case 4: {
        if (SSL_get_state(client.ssl()) < TLS_ST_CW_FINISHED && !client.is_established()) break;
        if (!sealed) sealed.emplace(client.ssl());
        const std::uint8_t type = input.u8();
        const std::uint8_t times = input.u8();
        const Bytes text = input.take(input.u8());
        Octets wire;
        for (int i = 0; i <= times; ++i) sealed->add(type, text, wire);
        feed(wire);
        break;
      }
      case 5: server.send(input.take(input.u8()), {}, input.pick(4)); break;
      default: server.free_buffers();
    }
  }
  server.send_close_notify();
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check(turnpike::fuzz::Input({data, size}));
  return 0;
}
