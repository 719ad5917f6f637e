#include "net/stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <optional>
#include <string>

#include "support/certificate.hpp"
#include "support/temporary_folder.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::net {
namespace {

using Octets = std::vector<std::uint8_t>;
using StreamState = Stream::State;

Octets octets(std::string_view text) { return {text.begin(), text.end()}; }

Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A STUN message with `size` bytes of SOFTWARE.
Octets stun_message(std::size_t size) {
  Octets buffer(stun::kHeaderSize + 4 + stun::padded(size));
  stun::MessageBuilder builder(buffer, {stun::Method::binding, stun::Class::request}, {});
  builder.add(stun::AttributeType::software, std::string(size, 's'));
  return {builder.bytes().begin(), builder.bytes().end()};
}

// Returns ChannelData without padding.
Octets channel_data(std::string_view payload) {
  Octets message(stun::kChannelDataHeaderSize);
  stun::ChannelData::write_header(*stun::ChannelNumber::from_wire(0x4001), payload.size(), message.data());
  return message + octets(payload);
}

Octets padded(Octets message) {
  message.resize(stun::padded(message.size()));
  return message;
}

std::pair<Fd, Fd> socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {Fd(ends[0]), Fd(ends[1])};
}

struct StreamEnds {
  explicit StreamEnds(const TlsContext* tls = nullptr) : StreamEnds(socket_pair(), tls) {}
  StreamEnds(std::pair<Fd, Fd> fds, const TlsContext* tls)
      : client(std::move(fds.first)), stream(std::make_unique<Stream>(std::move(fds.second), tls)) {}

  void client_sends(Bytes bytes) {
    REQUIRE(send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  }
  // Returns copies of the messages that the server has received.
  std::vector<Octets> receive(StreamState expected = StreamState::open) {
    std::vector<Bytes> views;
    buffers.reset();
    CHECK(stream->receive(buffers, views) == expected);
    std::vector<Octets> messages;
    for (const Bytes view : views) messages.emplace_back(view.begin(), view.end());
    return messages;
  }
  // Sends and receives all of it, `size` bytes at a time.
  std::vector<Octets> receive_in_pieces(const Octets& wire, std::size_t size) {
    std::vector<Octets> got;
    for (std::size_t at = 0; at < wire.size(); at += size) {
      client_sends(Bytes(wire).subspan(at, std::min(size, wire.size() - at)));
      for (Octets& message : receive()) got.push_back(std::move(message));
    }
    return got;
  }
  Octets client_reads() {
    Octets all;
    std::array<std::uint8_t, 65536> chunk{};
    for (;;) {
      const ssize_t got = recv(client.get(), chunk.data(), chunk.size(), 0);
      if (got <= 0) return all;
      all.insert(all.end(), chunk.begin(), chunk.begin() + got);
    }
  }
  StreamState send_one(Bytes head, Bytes payload, bool is_media) {
    const StreamMessage message{head, payload, stun::padded(payload.size()) - payload.size(), is_media};
    return stream->send({&message, 1}, buffers);
  }

  StreamBuffers buffers;
  Fd client;
  std::unique_ptr<Stream> stream;
};

const std::vector<Octets> kStory{stun_message(0),  channel_data(""),         channel_data("1"),
                                 stun_message(33), channel_data("12345678"), stun_message(700)};

Octets wire_of(const std::vector<Octets>& story) {
  Octets wire;
  for (const Octets& message : story) wire = wire + padded(message);
  return wire;
}

TEST_CASE("messages come whole, however they are cut", "[stream]") {
  const Octets wire = wire_of(kStory);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{100}, wire.size()}) {
    CAPTURE(size);
    CHECK((StreamEnds().receive_in_pieces(wire, size) == kStory));
  }
}

TEST_CASE("the longest messages come whole in single bytes too", "[stream]") {
  const std::vector<Octets> story{channel_data(std::string(65535, 'x')), stun_message(700)};
  const Octets wire = wire_of(story);
  StreamEnds ends;
  ends.stream->allow_messages(stun::kMaxFrameSize);
  CHECK((ends.receive_in_pieces(wire, 1) == story));
}

TEST_CASE("a client without an allocation may send only short messages", "[stream]") {
  constexpr std::size_t kHeader = stun::kChannelDataHeaderSize;
  for (const bool is_stun : {false, true}) {
    CAPTURE(is_stun);
    const auto of_size = [&](std::size_t size) {
      return is_stun ? stun_message(size - stun::kHeaderSize - 4)
                     : channel_data(std::string(size - kHeader, 'x'));
    };
    const std::vector<Octets> longest{of_size(Stream::kStrangerMessage)};
    CHECK((StreamEnds().receive_in_pieces(wire_of(longest), 100) == longest));
    StreamEnds ends;
    ends.client_sends(Bytes(of_size(Stream::kStrangerMessage + 4)).first(100));
    CHECK(ends.receive(StreamState::ended).empty());
  }
}

TEST_CASE("what comes behind a ConnectionBind is held until it is asked for, and then no longer",
          "[stream]") {
  StreamEnds ends;
  Octets connection_bind = stun_message(0);
  store_u16(connection_bind.data(), 0x000B);
  ends.client_sends(connection_bind + stun_message(5));
  CHECK((ends.receive() == std::vector<Octets>{connection_bind}));
  CHECK(ends.stream->holds_octets());
  std::vector<Bytes> messages;
  ends.buffers.reset();
  REQUIRE(ends.stream->take_held(ends.buffers, messages) == StreamState::open);
  REQUIRE(messages.size() == 1);
  CHECK((Octets(messages[0].begin(), messages[0].end()) == stun_message(5)));
  CHECK_FALSE(ends.stream->holds_octets());  // otherwise the worker would look again and again
}

TEST_CASE("after close_cleanly(), nothing more is sent, and received octets are returned unchanged",
          "[stream]") {
  StreamEnds ends;
  REQUIRE(ends.stream->send_bytes(octets("the last"), ends.buffers) == StreamState::open);
  REQUIRE(ends.stream->close_cleanly(ends.buffers) == StreamState::open);
  CHECK((ends.client_reads() == octets("the last")));
  CHECK(recv(ends.client.get(), nullptr, 0, 0) == 0);  // the end
  ends.client_sends(octets("one more"));
  Bytes received;
  CHECK(ends.stream->receive_bytes(ends.buffers, received) == StreamState::open);
  CHECK((Octets(received.begin(), received.end()) == octets("one more")));
  ends.client = Fd();
  CHECK(ends.stream->receive_bytes(ends.buffers, received) == StreamState::ended);
}

TEST_CASE("no more comes off the socket than is asked for, and the rest comes later", "[stream]") {
  StreamEnds ends;
  const Octets request = stun_message(0);
  for (int i = 0; i < 100; ++i) ends.client_sends(request);
  std::size_t got = 0;
  for (int pass = 0; pass < 10; ++pass) {
    std::vector<Bytes> messages;
    ends.buffers.reset();
    REQUIRE(ends.stream->receive(ends.buffers, messages, 10 * request.size()) == StreamState::open);
    CHECK(messages.size() == 10);
    got += messages.size();
  }
  CHECK(got == 100);
}

TEST_CASE("what is no message ends a stream, and what came before counts", "[stream]") {
  const std::vector<Octets> garbage{octets("\x16\x03\x01\x02\x03\x04\x05\x06"),  // TLS
                                    {0x80},
                                    {0xFF, 0xFF},
                                    {0, 1, 0, 3},                  // a length that is no multiple of four
                                    {0, 1, 0x1F, 0, 1, 2, 3, 4}};  // no magic cookie, long before its end
  for (const Octets& bytes : garbage) {
    StreamEnds ends;
    ends.client_sends(stun_message(5) + bytes);
    CHECK((ends.receive(StreamState::ended) == std::vector<Octets>{stun_message(5)}));
  }
  // The cookie is checked as soon as it has arrived.
  StreamEnds ends;
  ends.client_sends(Octets{0, 1, 0x1F, 0});
  CHECK(ends.receive().empty());
  ends.client_sends(Octets{1, 2, 3, 4});
  CHECK(ends.receive(StreamState::ended).empty());
}

TEST_CASE("a stream ends when the client closes, or closes its half", "[stream]") {
  StreamEnds closing;
  closing.client_sends(stun_message(1) + octets("\x40"));
  CHECK(closing.receive().size() == 1);
  closing.client = Fd();
  CHECK(closing.receive(StreamState::ended).empty());
  // A write to the closed connection raises no signal.
  const Octets message = stun_message(1);
  CHECK(closing.send_one(message, {}, false) == StreamState::ended);

  StreamEnds half;
  shutdown(half.client.get(), SHUT_WR);
  CHECK(half.receive(StreamState::ended).empty());
}

TEST_CASE("a stream that has received nothing yet returns nothing", "[stream]") {
  StreamEnds ends;
  CHECK(ends.receive().empty());
}

TEST_CASE("many messages go out together and in order", "[stream]") {
  StreamEnds ends;
  ends.stream->allow_waiting(Stream::kControlLimit);
  std::vector<StreamMessage> messages;
  std::vector<Octets> sent;
  for (int i = 0; i < 2000; ++i)
    sent.push_back(i % 2 == 0 ? stun_message(4) : channel_data(std::to_string(i)));
  for (const Octets& message : sent) {
    messages.push_back({Bytes(message).first(4), Bytes(message).subspan(4),
                        stun::padded(message.size()) - message.size(), false});
  }
  CHECK(ends.stream->send(messages, ends.buffers) == StreamState::open);
  Octets got = ends.client_reads();
  while (ends.stream->has_waiting()) {
    REQUIRE(ends.stream->send_waiting() == StreamState::open);
    got = got + ends.client_reads();
  }
  CHECK((got == wire_of(sent)));
}

TEST_CASE("to a client that does not read, media is dropped and control is kept", "[stream]") {
  StreamEnds ends;
  ends.stream->allow_waiting(Stream::kControlLimit);
  const Octets media = channel_data(std::string(1000, 'm'));
  const Octets control = stun_message(80);
  std::size_t controls = 0;
  while (ends.buffers.counters.media_dropped < 1000) {
    REQUIRE(ends.send_one(Bytes(media).first(4), Bytes(media).subspan(4), true) == StreamState::open);
    if (ends.buffers.counters.media_dropped % 10 != 5) continue;
    REQUIRE(ends.send_one(control, {}, false) == StreamState::open);
    ++controls;
  }
  Octets got;
  do {
    got = got + ends.client_reads();
    REQUIRE(ends.stream->send_waiting() == StreamState::open);
  } while (ends.stream->has_waiting());
  got = got + ends.client_reads();
  std::size_t controls_seen = 0;
  std::size_t media_seen = 0;
  for (Bytes rest(got); !rest.empty();) {
    const stun::Frame frame = stun::next_frame(rest);
    if (frame.kind == stun::Frame::Kind::stun) {
      ++controls_seen;
    } else {
      REQUIRE(frame.kind == stun::Frame::Kind::channel_data);
      ++media_seen;
      CHECK((Octets(frame.message.begin(), frame.message.end()) == media));
    }
    rest = rest.subspan(frame.consumed);
  }
  CHECK(controls_seen == controls);
  CHECK(media_seen > Stream::kMediaLimit / media.size());
  // The client has caught up, and gets media again.
  const auto dropped = ends.buffers.counters.media_dropped;
  CHECK(ends.send_one(Bytes(media).first(4), Bytes(media).subspan(4), true) == StreamState::open);
  CHECK(ends.buffers.counters.media_dropped == dropped);
  CHECK((ends.client_reads() == media));
}

TEST_CASE("what waits goes out before what comes later, even if the kernel has room again", "[stream]") {
  StreamEnds ends;
  ends.stream->allow_waiting(Stream::kControlLimit);
  Octets sent;
  const auto send_next = [&] {
    const Octets message = channel_data(std::to_string(1'000'000 + sent.size()) + std::string(493, '.'));
    sent = sent + message;
    REQUIRE(ends.send_one(message, {}, false) == StreamState::open);
  };
  while (!ends.stream->has_waiting()) send_next();
  Octets got = ends.client_reads();
  send_next();
  while (ends.stream->has_waiting()) {
    REQUIRE(ends.stream->send_waiting() == StreamState::open);
    got = got + ends.client_reads();
  }
  got = got + ends.client_reads();
  CHECK((got == sent));
}

// Returns how much is sent to a client that never reads until it is disconnected, beyond what the kernel
// takes.
std::size_t sent_until_given_up(StreamEnds& ends) {
  const Octets control = stun_message(500);
  std::size_t waiting = 0;
  for (StreamState state = StreamState::open; state == StreamState::open && waiting < 10'000'000;) {
    state = ends.send_one(control, {}, false);
    if (ends.stream->has_waiting()) waiting += control.size();
  }
  CHECK(ends.buffers.counters.too_slow == 1);
  return waiting;
}

TEST_CASE("a client that asks and never reads is disconnected", "[stream]") {
  SECTION("without an allocation, early") {
    StreamEnds ends;
    const std::size_t waiting = sent_until_given_up(ends);
    CHECK(waiting <= Stream::kStrangerLimit + 1000);
    CHECK(waiting > Stream::kStrangerLimit - 1000);
  }
  SECTION("with one, later") {
    StreamEnds ends;
    ends.stream->allow_waiting(Stream::kControlLimit);
    const std::size_t waiting = sent_until_given_up(ends);
    CHECK(waiting <= Stream::kControlLimit + 1000);
    CHECK(waiting > Stream::kControlLimit - 1000);
  }
}

TEST_CASE("what waits already goes out when less may wait from now on", "[stream]") {
  StreamEnds ends;
  ends.stream->allow_waiting(Stream::kControlLimit);
  const Octets control = stun_message(500);
  std::size_t sent = 0;
  for (std::size_t waiting = 0; waiting < 4 * Stream::kStrangerLimit; sent += control.size()) {
    REQUIRE(ends.send_one(control, {}, false) == StreamState::open);
    if (ends.stream->has_waiting()) waiting += control.size();
  }
  ends.stream->allow_waiting(Stream::kStrangerLimit);
  REQUIRE(ends.send_one(control, {}, false) == StreamState::open);
  std::size_t got = ends.client_reads().size();
  while (ends.stream->has_waiting()) {
    REQUIRE(ends.stream->send_waiting() == StreamState::open);
    got += ends.client_reads().size();
  }
  CHECK(got == sent + control.size());
  CHECK(sent_until_given_up(ends) <= Stream::kStrangerLimit + 1000);
}

// --- TLS

class PemFiles {
 public:
  PemFiles() {
    const test::Certificate made = test::make_certificate();
    folder_.write("certificate.pem", made.certificate);
    folder_.write("key.pem", made.private_key);
    folder_.write("other.pem", test::make_certificate().private_key);
    folder_.write("noise.pem", "noise\n");
  }
  std::string operator[](const char* name) const { return folder_ / name; }

 private:
  test::TemporaryFolder folder_;
};

struct TlsClient {
  explicit TlsClient(int fd, int version = 0, std::string_view alpn = {}) {
    if (version != 0) SSL_CTX_set_max_proto_version(context.get(), version);
    if (version != 0) SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_security_level(context.get(), 0);
    ssl.reset(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
  }

  // Returns whether both sides complete the handshake.
  bool shakes_hands_with(StreamEnds& ends) {
    StreamState state = StreamState::open;
    for (int i = 0; i < 10; ++i) {
      const int result = SSL_connect(ssl.get());
      if (result == 1 && ends.stream->is_established()) return true;
      if (result != 1 && SSL_get_error(ssl.get(), result) != SSL_ERROR_WANT_READ) return false;
      std::vector<Bytes> none;
      ends.buffers.reset();
      if (state == StreamState::open) state = ends.stream->receive(ends.buffers, none);
    }
    return false;
  }
  void writes(Bytes bytes) {
    REQUIRE(SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size())) ==
            static_cast<int>(bytes.size()));
  }
  // After this call, what the client writes stays here until take_records().
  void holds_back() {
    held_back = BIO_new(BIO_s_mem());
    SSL_set0_wbio(ssl.get(), held_back);
  }
  // Takes what the client has written since then.
  Octets take_records() {
    Octets records(static_cast<std::size_t>(BIO_pending(held_back)));
    BIO_read(held_back, records.data(), static_cast<int>(records.size()));
    return records;
  }
  // Reads one record. Returns an empty one when there is none.
  Octets reads() {
    Octets record(20000);
    const int size = SSL_read(ssl.get(), record.data(), static_cast<int>(record.size()));
    record.resize(static_cast<std::size_t>(std::max(size, 0)));
    return record;
  }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }

  std::unique_ptr<SSL_CTX, TlsDeleter> context{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, TlsDeleter> ssl;
  BIO* held_back = nullptr;
};

TEST_CASE("TLS 1.2 and 1.3 carry messages both ways, one to a record", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    StreamEnds ends(&tls);
    CHECK_FALSE(ends.stream->is_established());
    TlsClient client(ends.client.get(), version);
    REQUIRE(client.shakes_hands_with(ends));
    const Octets wire = wire_of(kStory);
    client.writes(wire);
    CHECK((ends.receive() == kStory));
    std::vector<Octets> got;
    for (const std::uint8_t byte : wire) {
      client.writes({&byte, 1});
      for (Octets& message : ends.receive()) got.push_back(std::move(message));
    }
    CHECK((got == kStory));

    std::vector<StreamMessage> answers;
    for (const Octets& message : kStory) {
      answers.push_back({message, {}, stun::padded(message.size()) - message.size(), false});
    }
    CHECK(ends.stream->send(answers, ends.buffers) == StreamState::open);
    for (const Octets& message : kStory) CHECK((client.reads() == padded(message)));

    // The server sends a close_notify.
    ends.stream.reset();
    CHECK(client.reads().empty());
    CHECK((SSL_get_shutdown(client.ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
  }
}

TEST_CASE("a TLS client hears the last words, and that they were the last", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  REQUIRE(ends.stream->send_bytes(octets("the last"), ends.buffers) == StreamState::open);
  REQUIRE(ends.stream->close_cleanly(ends.buffers) == StreamState::open);
  CHECK((client.reads() == octets("the last")));
  CHECK(client.reads().empty());
  CHECK((SSL_get_shutdown(client.ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
  client.writes(octets("one more"));  // which nobody decrypts
  Bytes received;
  ends.buffers.reset();
  CHECK(ends.stream->receive_bytes(ends.buffers, received) == StreamState::open);
  CHECK(received.size() > 8);
  ends.stream.reset();
  CHECK(recv(ends.client.get(), nullptr, 0, 0) == 0);
}

TEST_CASE("records come whole, however they are cut", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  const Octets wire = wire_of(kStory);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{6}, std::size_t{333}}) {
      CAPTURE(version, size);
      StreamEnds ends(&tls);
      TlsClient client(ends.client.get(), version);
      REQUIRE(client.shakes_hands_with(ends));
      client.holds_back();
      for (const Octets& message : kStory) client.writes(padded(message));
      client.writes(wire);
      std::vector<Octets> twice = kStory;
      twice.insert(twice.end(), kStory.begin(), kStory.end());
      CHECK((ends.receive_in_pieces(client.take_records(), size) == twice));
    }
  }
}

TEST_CASE("what a client sends together with its last handshake message is not lost", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get(), TLS1_3_VERSION);
  SSL_connect(client.ssl.get());
  CHECK(ends.receive().empty());
  client.holds_back();
  REQUIRE(SSL_connect(client.ssl.get()) == 1);
  client.writes(wire_of(kStory));
  ends.client_sends(client.take_records());
  CHECK((ends.receive() == kStory));
}

TEST_CASE("a client that may use HTTP or TURN is understood from the first record on", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{50}, std::size_t{60000}}) {
      CAPTURE(version, size);
      StreamEnds ends;
      ends.stream->start_tls(tls, TlsUse::any_of_them);
      TlsClient client(ends.client.get(), version);
      REQUIRE(client.shakes_hands_with(ends));
      client.holds_back();
      for (const Octets& message : kStory) client.writes(padded(message));
      CHECK((ends.receive_in_pieces(client.take_records(), size) == kStory));
      REQUIRE(ends.send_one(kStory[1], {}, false) == StreamState::open);
      CHECK((client.reads() == kStory[1]));
    }
  }
}

TEST_CASE("who begins with new keys or a new handshake, where both may be spoken, is served",
          "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    StreamEnds ends;
    ends.stream->start_tls(tls, TlsUse::any_of_them);
    TlsClient client(ends.client.get(), version);
    REQUIRE(client.shakes_hands_with(ends));
    if (version == TLS1_3_VERSION) {
      REQUIRE(SSL_key_update(client.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    } else {
      REQUIRE(SSL_renegotiate(client.ssl.get()) == 1);
    }
    SSL_do_handshake(client.ssl.get());
    CHECK(ends.receive().empty());
    if (version == TLS1_2_VERSION) continue;  // OpenSSL's client takes a refusal for the end
    client.writes(kStory[1]);
    client.writes(padded(kStory[2]));
    CHECK((ends.receive() == std::vector<Octets>{kStory[1], kStory[2]}));
  }
}

TEST_CASE("records are as short as the client has asked for", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    StreamEnds ends(&tls);
    TlsClient client(ends.client.get(), version);
    SSL_set_tlsext_max_fragment_length(client.ssl.get(), TLSEXT_max_fragment_length_512);
    REQUIRE(client.shakes_hands_with(ends));
    const Octets message = channel_data(std::string(1316, 'x'));
    REQUIRE(ends.send_one(message, {}, true) == StreamState::open);
    CHECK(client.reads().size() == 512);
    CHECK(client.reads().size() == 512);
    CHECK(client.reads().size() == message.size() - 1024);
  }
}

TEST_CASE("after an alert that ends it, nothing more is said", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  client.reads();  // tickets
  client.writes(kStory[0]);
  ends.client_sends(Octets{23, 3, 3, 0, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18});
  CHECK((ends.receive(StreamState::ended) == std::vector<Octets>{kStory[0]}));
  const Octets alert = ends.client_reads();
  CHECK(alert.size() > 5);
  CHECK(ends.send_one(kStory[0], {}, false) == StreamState::ended);
  ends.stream.reset();
  CHECK(ends.client_reads().empty());
}

TEST_CASE("a request that comes with its end, or in pieces, is all handed on", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const std::string_view alpn : {"", "\x8http/1.1"}) {
    StreamEnds ends;
    ends.stream->start_tls(tls, TlsUse::any_of_them);
    TlsClient client(ends.client.get(), 0, alpn);
    REQUIRE(client.shakes_hands_with(ends));
    client.writes(octets("GET / "));
    client.writes(octets("HTTP/1.1\r\n\r\n"));
    SSL_shutdown(client.ssl.get());
    std::vector<Bytes> none;
    ends.buffers.reset();
    if (alpn.empty()) {
      REQUIRE(ends.stream->receive(ends.buffers, none) == StreamState::http);
      CHECK((ends.stream->release().received == octets("GET / HTTP/1.1\r\n\r\n")));
    } else {
      // Nothing was received before the decision.
      CHECK(ends.stream->release().received.empty());
    }
  }
}

TEST_CASE("a record of more than there may be ends a connection that is not told apart yet",
          "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends;
  ends.stream->start_tls(tls, TlsUse::any_of_them);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  ends.client_sends(Octets{23, 3, 3, 0xFF});
  CHECK(ends.receive().empty());
  ends.client_sends(Octets{0xFF});
  CHECK(ends.receive(StreamState::ended).empty());
}

TEST_CASE("a record of more than there may be ends the connection at once", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  ends.client_sends(Octets{23, 3, 3, 0xFF, 0xFF});
  CHECK(ends.receive(StreamState::ended).empty());
  ends.stream.reset();
  client.reads();
  CHECK(ERR_GET_REASON(ERR_peek_error()) == SSL_AD_REASON_OFFSET + SSL_AD_RECORD_OVERFLOW);
  ERR_clear_error();
}

TEST_CASE("a long message is sent in several records", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  const Octets message = channel_data(std::string(60000, 'x'));
  ends.stream->allow_waiting(Stream::kControlLimit);
  CHECK(ends.send_one(message, {}, true) == StreamState::open);
  Octets got;
  while (got.size() < message.size()) {
    const Octets record = client.reads();
    if (record.empty()) REQUIRE(ends.stream->send_waiting() == StreamState::open);
    got = got + record;
  }
  CHECK((got == message));
}

TEST_CASE("a TLS client that does not read loses media and keeps its session", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  ends.stream->allow_waiting(Stream::kControlLimit);
  TlsClient client(ends.client.get());
  REQUIRE(client.shakes_hands_with(ends));
  const Octets media = channel_data(std::string(1000, 'm'));
  const Octets last = stun_message(4);
  while (ends.buffers.counters.media_dropped < 100)
    REQUIRE(ends.send_one(media, {}, true) == StreamState::open);
  REQUIRE(ends.send_one(last, {}, false) == StreamState::open);
  Octets got;
  do {
    got = client.reads();
    if (got.empty()) REQUIRE(ends.stream->send_waiting() == StreamState::open);
  } while (got != last);
  CHECK_FALSE(ends.stream->has_waiting());
}

TEST_CASE("ALPN: stun.turn is preferred, and nobody is refused for what they offer", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"\x9stun.turn", "stun.turn"},
      {"\x12stun.nat-discovery", "stun.nat-discovery"},
      {"\x12stun.nat-discovery\x9stun.turn", "stun.turn"},
      {"\x2h2\x8http/1.1", ""},
  };
  for (const auto& [offered, chosen] : cases) {
    StreamEnds ends(&tls);
    TlsClient client(ends.client.get(), 0, offered);
    CHECK(client.shakes_hands_with(ends));
    CHECK(client.protocol() == chosen);
  }
}

TEST_CASE("old TLS and what is no TLS end the connection", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    StreamEnds ends(&tls);
    TlsClient client(ends.client.get(), version);
    CHECK_FALSE(client.shakes_hands_with(ends));
    CHECK(ends.buffers.counters.handshakes_failed == 1);
  }
  StreamEnds ends(&tls);
  ends.client_sends(stun_message(4));
  CHECK(ends.receive(StreamState::ended).empty());
}

TEST_CASE("a TLS handshake that goes on and on is ended", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  // The beginning of a ClientHello of 120 kB, which OpenSSL would wait for.
  Octets record{22, 3, 1, 0x10, 0, 1, 1, 0xD4, 0xC0, 3, 3};
  record.resize(5 + 0x1000);
  int taken = 0;
  StreamState state = StreamState::open;
  for (; state == StreamState::open && taken < 25; ++taken) {
    ends.client_sends(record);
    record[5] = 0;
    std::vector<Bytes> none;
    ends.buffers.reset();
    state = ends.stream->receive(ends.buffers, none);
  }
  CHECK(state == StreamState::ended);
  CHECK(taken == 9);  // after 32 kB
  CHECK(ends.buffers.counters.handshakes_failed == 1);
}

TEST_CASE("what TLS answers by itself is bounded too", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  StreamEnds ends(&tls);
  TlsClient client(ends.client.get(), TLS1_3_VERSION);
  REQUIRE(client.shakes_hands_with(ends));
  StreamState state = StreamState::open;
  for (int asked = 0; state == StreamState::open && asked < 100'000; ++asked) {
    REQUIRE(SSL_key_update(client.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(client.ssl.get()) == 1);
    client.writes(kStory[1]);
    std::vector<Bytes> none;
    ends.buffers.reset();
    state = ends.stream->receive(ends.buffers, none);
  }
  CHECK(state == StreamState::ended);
  CHECK(ends.buffers.counters.too_slow == 1);
}

TEST_CASE("a TLS session can be resumed", "[stream][tls]") {
  const PemFiles files;
  const TlsContext tls(files["certificate.pem"], files["key.pem"]);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    StreamEnds first(&tls);
    TlsClient client(first.client.get(), version);
    REQUIRE(client.shakes_hands_with(first));
    client.reads();  // the ticket of TLS 1.3
    StreamEnds second(&tls);
    TlsClient again(second.client.get(), version);
    SSL_set_session(again.ssl.get(), SSL_get_session(client.ssl.get()));
    REQUIRE(again.shakes_hands_with(second));
    CHECK(SSL_session_reused(again.ssl.get()) == 1);
    if (version == TLS1_2_VERSION) continue;
    // A ticket of TLS 1.3 is used only once, so there is another one.
    again.reads();
    StreamEnds third(&tls);
    TlsClient once_more(third.client.get(), version);
    CHECK(SSL_get_session(again.ssl.get()) != SSL_get_session(client.ssl.get()));
    SSL_set_session(once_more.ssl.get(), SSL_get_session(again.ssl.get()));
    REQUIRE(once_more.shakes_hands_with(third));
    CHECK(SSL_session_reused(once_more.ssl.get()) == 1);
  }
}

TEST_CASE("what is wrong with a certificate is said with the file's name", "[stream][tls]") {
  const PemFiles files;
  const auto problem = [&](const char* certificate, const char* key) -> std::string {
    try {
      TlsContext(files[certificate], files[key]);
      return "";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  CHECK(problem("certificate.pem", "key.pem").empty());
  CHECK(problem("noise.pem", "key.pem") ==
        "tls.certificate: " + files["noise.pem"] + ": has no certificate in PEM");
  CHECK(problem("certificate.pem", "noise.pem").starts_with("tls.private_key: " + files["noise.pem"] + ": "));
  CHECK(problem("certificate.pem", "other.pem") ==
        "tls.private_key: " + files["other.pem"] + ": key values mismatch");
}

}  // namespace
}  // namespace turnpike::net
