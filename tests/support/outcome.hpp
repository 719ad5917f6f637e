// The effects of one step, copied from the server's Output, and the assertions about them. Each answer is
// also verified: it must be signed with the right key and only the right attribute, and padded with zeros.
#pragma once

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/request_maker.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::test {

class Outcome {
 public:
  struct ToClient {
    FiveTuple tuple;
    Octets message;
  };
  struct ToPeer {
    Endpoint relayed;  // in its local form
    Endpoint peer;
    std::string payload;
    bool dont_fragment = false;
  };
  // The request that an answer must match.
  struct Asked {
    stun::MessageType type;
    stun::TransactionId transaction_id{};
    FiveTuple tuple;
    Signing signing = Signing::none;
    auth::Key key;
    bool has_fingerprint = false;
  };

  int line = 0;  // line of the step in the test
  std::vector<ToClient> to_clients;
  std::vector<ToPeer> to_peers;
  std::vector<turn::Output::Lifetime> lifetimes;
  std::vector<turn::Output::Refusal> refusals;
  std::vector<Endpoint> closing;  // relayed addresses that were closed after the step, in their local form
  std::optional<Asked> asked;
  std::uint32_t limits_reached = 0;  // one bit for each turn::LimitKey
  bool out_of_memory = false;        // an unexpected lack of memory

  // --- Answers
  const Outcome& expect_success() const {
    INFO("step in line " << line);
    REQUIRE(answer_code() == 0);
    REQUIRE(is_signed() == (asked->signing != Signing::none));
    return *this;
  }

  // Expects a success that leaves from, or goes to, another address than that of the request (RFC 5780).
  const Outcome& expect_success_by(const FiveTuple& tuple) const {
    INFO("step in line " << line);
    REQUIRE(answer_code(tuple) == 0);
    return *this;
  }

  // Expects an error. It must be unsigned when the sender was not known yet, and otherwise signed as the
  // request was.
  const Outcome& expect_error(int code) const {
    INFO("step in line " << line);
    REQUIRE(answer_code() == code);
    if (code != 400 && code != 401 && code != 438) REQUIRE(is_signed() == (asked->signing != Signing::none));
    REQUIRE(has(stun::AttributeType::realm) == (code == 401 || code == 438));
    REQUIRE(has(stun::AttributeType::nonce) == (code == 401 || code == 438));
    REQUIRE_FALSE(has(stun::AttributeType::xor_relayed_address));
    return *this;
  }
  const Outcome& signed_by_server(bool expected = true) const {
    INFO("step in line " << line);
    REQUIRE(is_signed() == expected);
    return *this;
  }
  const Outcome& expect_lifetime(std::chrono::seconds expected) const {
    INFO("step in line " << line);
    REQUIRE(has(stun::AttributeType::lifetime));
    REQUIRE(stun::decode_lifetime(*find(stun::AttributeType::lifetime)) == expected);
    return *this;
  }

  // --- Relayed data
  const Outcome& expect_sent(std::string_view peer, std::string_view payload,
                             bool dont_fragment = false) const {
    INFO("step in line " << line);
    REQUIRE(to_clients.empty());
    REQUIRE(to_peers.size() == 1);
    CHECK(to_peers[0].peer.to_string() == peer);
    CHECK(to_peers[0].payload == payload);
    CHECK(to_peers[0].dont_fragment == dont_fragment);
    return *this;
  }
  const Outcome& expect_data_from(std::string_view peer, std::string_view payload) const {
    const stun::MessageView data = data_indication();
    const auto from = data.find(stun::AttributeType::xor_peer_address);
    const auto value = data.find(stun::AttributeType::data);
    REQUIRE((from && value));
    CHECK(stun::decode_xor_address(*from, data.transaction_id())->to_string() == peer);
    CHECK(as_text(*value) == payload);
    CHECK_FALSE(data.has(stun::AttributeType::icmp));
    return *this;
  }
  const Outcome& expect_icmp(std::string_view peer, const stun::Icmp& icmp, bool with_data = false) const {
    const stun::MessageView data = data_indication();
    const auto from = data.find(stun::AttributeType::xor_peer_address);
    const auto value = data.find(stun::AttributeType::icmp);
    REQUIRE((from && value));
    CHECK(stun::decode_xor_address(*from, data.transaction_id())->to_string() == peer);
    CHECK(stun::decode_icmp(*value) == icmp);
    const auto payload = data.find(stun::AttributeType::data);
    CHECK(payload.has_value() == with_data);
    if (payload) CHECK(payload->empty());
    return *this;
  }
  // Expects ChannelData. Over UDP nothing follows the payload; on a stream the padding is zero.
  const Outcome& expect_channel_data(std::uint16_t channel, std::string_view payload) const {
    INFO("step in line " << line);
    REQUIRE(to_clients.size() == 1);
    Octets expected = channel_data(channel, payload);
    const Transport transport = to_clients[0].tuple.transport;
    if (is_stream(transport)) expected.resize(stun::padded(expected.size()));
    CHECK(to_clients[0].message == expected);
    return *this;
  }
  const Outcome& expect_to(const Client& c) const {
    INFO("step in line " << line);
    REQUIRE(to_clients.size() == 1);
    CHECK(to_clients[0].tuple == c.tuple);
    return *this;
  }
  const Outcome& expect_limit_met(turn::LimitKey key) const {
    INFO("step in line " << line);
    CHECK(limits_reached == std::uint32_t{1} << static_cast<unsigned>(key));
    return *this;
  }
  const Outcome& expect_silence() const {
    INFO("step in line " << line);
    CHECK(to_clients.empty());
    CHECK(to_peers.empty());
    return *this;
  }

  // --- Events
  std::size_t count(turn::Output::Lifetime::Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count(lifetimes, kind, &turn::Output::Lifetime::kind));
  }
  const Outcome& expect_expired(std::size_t allocations = 1) const {
    INFO("step in line " << line);
    REQUIRE(to_clients.empty());
    REQUIRE(count(turn::Output::Lifetime::Kind::deleted) == allocations);
    return *this;
  }
  const Outcome& expect_no_event() const {
    INFO("step in line " << line);
    REQUIRE(lifetimes.empty());
    REQUIRE(refusals.empty());
    return *this;
  }

  // --- Contents of an answer
  stun::MessageView answer() const {
    INFO("step in line " << line);
    REQUIRE(to_clients.size() == 1);
    const auto view = stun::MessageView::parse(to_clients[0].message);
    REQUIRE(view.has_value());
    return *view;
  }
  bool has(stun::AttributeType type) const { return answer().has(type); }
  std::optional<Bytes> find(stun::AttributeType type) const { return answer().find(type); }

  // The relayed addresses, in the order of the answer.
  std::vector<Endpoint> relayed() const { return addresses(stun::AttributeType::xor_relayed_address); }
  std::string relayed_text() const {
    std::string text;
    for (const Endpoint& e : relayed()) text += (text.empty() ? "" : " ") + e.to_string();
    return text;
  }
  std::string mapped_text() const {
    const auto mapped = addresses(stun::AttributeType::xor_mapped_address);
    return mapped.size() == 1 ? mapped[0].to_string() : "not exactly one";
  }
  stun::ReservationToken token() const {
    INFO("step in line " << line);
    REQUIRE(has(stun::AttributeType::reservation_token));
    return *stun::decode_reservation_token(*find(stun::AttributeType::reservation_token));
  }
  turn::ConnectionId connection_id() const {
    INFO("step in line " << line);
    REQUIRE(has(stun::AttributeType::connection_id));
    return turn::ConnectionId{*stun::decode_connection_id(*find(stun::AttributeType::connection_id))};
  }
  // Expects a ConnectionAttempt (RFC 6062 §5.3).
  const Outcome& expect_attempt(std::string_view peer) const {
    INFO("step in line " << line);
    const stun::MessageView view = answer();
    REQUIRE(view.type() == stun::MessageType{stun::Method::connection_attempt, stun::Class::indication});
    const auto from = view.find(stun::AttributeType::xor_peer_address);
    REQUIRE(from);
    CHECK(stun::decode_xor_address(*from, view.transaction_id())->to_string() == peer);
    CHECK_FALSE(view.has_integrity());
    return *this;
  }
  std::string ticket() const {
    INFO("step in line " << line);
    REQUIRE(has(stun::AttributeType::mobility_ticket));
    return std::string(as_text(*find(stun::AttributeType::mobility_ticket)));
  }
  std::string nonce() const {
    INFO("step in line " << line);
    REQUIRE(has(stun::AttributeType::nonce));
    return std::string(as_text(*find(stun::AttributeType::nonce)));
  }

 private:
  // The error code; 0 for a success.
  int answer_code() const {
    REQUIRE(asked);
    return answer_code(asked->tuple);
  }
  int answer_code(const FiveTuple& by) const {
    REQUIRE(asked);
    REQUIRE(to_peers.empty());
    const stun::MessageView view = answer();
    CHECK(to_clients[0].tuple == by);
    CHECK(view.method() == asked->type.method);
    CHECK(view.transaction_id() == asked->transaction_id);
    CHECK(view.has_fingerprint() == asked->has_fingerprint);
    CHECK_FALSE(view.has(stun::AttributeType::software));
    check_padding(view.bytes());
    check_signature(view);
    const auto error = view.find(stun::AttributeType::error_code);
    CHECK(error.has_value() == (view.message_class() == stun::Class::error));
    if (!error) {
      CHECK(view.message_class() == stun::Class::success);
      return 0;
    }
    return stun::decode_error_code(*error).value().code;
  }

  bool is_signed() const { return answer().has_integrity(); }

  void check_signature(const stun::MessageView& view) const {
    if (!view.has_integrity()) return;
    static crypto::Digester digester;
    CHECK(view.has_integrity_sha1() == (asked->signing == Signing::sha1));
    CHECK(view.has_integrity_sha256() == (asked->signing == Signing::sha256));
    if (asked->signing == Signing::sha1) CHECK(view.verify_integrity_sha1(digester, asked->key.bytes()));
    if (asked->signing == Signing::sha256) CHECK(view.verify_integrity_sha256(digester, asked->key.bytes()));
  }

  static void check_padding(Bytes message) {
    for (std::size_t at = stun::kHeaderSize; at < message.size();) {
      const std::size_t size = load_u16(&message[at + 2]);
      const Bytes padding = message.subspan(at + 4 + size, stun::padded(size) - size);
      CHECK(std::ranges::all_of(padding, [](std::uint8_t b) { return b == 0; }));
      at += 4 + stun::padded(size);
    }
  }

  std::vector<Endpoint> addresses(stun::AttributeType type) const {
    const stun::MessageView view = answer();
    std::vector<Endpoint> found;
    view.for_each([&](const stun::Attribute& attribute) {
      if (attribute.type == type)
        found.push_back(stun::decode_xor_address(attribute.value, view.transaction_id()).value());
    });
    return found;
  }

  stun::MessageView data_indication() const {
    INFO("step in line " << line);
    const stun::MessageView view = answer();
    REQUIRE(view.type() == stun::MessageType{stun::Method::data, stun::Class::indication});
    CHECK_FALSE(view.has_integrity());
    check_padding(view.bytes());
    return view;
  }
};

// Whether there is one answer, a success.
inline bool succeeds(const Outcome& outcome) {
  return outcome.to_clients.size() == 1 && outcome.answer().message_class() == stun::Class::success;
}

}  // namespace turnpike::test
