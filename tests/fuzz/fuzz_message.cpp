// MessageView::parse, find and for_each stay inside the datagram, and what they read, MessageBuilder writes
// again. Each input is read as it came and once more with its header mended, since a random one seldom has
// the right length.
#include <algorithm>
#include <vector>

#include "fuzz/expect.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::fuzz {
namespace {

using namespace stun;

using Octets = std::vector<std::uint8_t>;

std::vector<Attribute> attributes_of(const MessageView& message) {
  std::vector<Attribute> all;
  message.for_each([&](const Attribute& attribute) { all.push_back(attribute); });
  return all;
}

bool same_attributes(const std::vector<Attribute>& a, const std::vector<Attribute>& b) {
  return std::ranges::equal(a, b, [](const Attribute& x, const Attribute& y) {
    return x.type == y.type && same(x.value, y.value);
  });
}

void check_views(const MessageView& message, const std::vector<Attribute>& attributes) {
  expect(message.type().to_wire() == load_u16(message.bytes().data()), "the type is that of the header");
  for (const Attribute& attribute : attributes) {
    expect(lies_inside(attribute.value, message.bytes()), "a value lies in the message");
    expect(attribute.type != AttributeType::message_integrity &&
               attribute.type != AttributeType::message_integrity_sha256 &&
               attribute.type != AttributeType::fingerprint,
           "what ends the attributes is none of them");
    const std::optional<Bytes> found = message.find(attribute.type);
    const auto first =
        std::ranges::find_if(attributes, [&](const Attribute& a) { return a.type == attribute.type; });
    expect(found && found->data() == first->value.data() && found->size() == first->value.size(),
           "find gives the first attribute of a type");
  }
}

// Writes one attribute by `write`, and takes it out of the message again.
template <class Write>
Octets rewritten(const TransactionId& id, Write&& write) {
  Octets buffer(64);
  MessageBuilder builder(buffer, {}, id);
  write(builder);
  const auto message = MessageView::parse(builder.bytes());
  expect(message.has_value(), "an attribute that was decoded can be written");
  const std::vector<Attribute> attributes = attributes_of(*message);
  expect(attributes.size() == 1, "one attribute was written");
  return {attributes[0].value.begin(), attributes[0].value.end()};
}

// A decoded value must stay the same when it is written and decoded again. Every decoder reads every value.
void check_decoders(Bytes value, const TransactionId& id) {
  constexpr auto kType = AttributeType::xor_peer_address;
  if (const auto v = decode_address(value))
    expect(decode_address(rewritten(id, [&](auto& b) { b.add_address(kType, *v); })) == v, "an address");
  if (const auto v = decode_xor_address(value, id))
    expect(decode_xor_address(rewritten(id, [&](auto& b) { b.add_xor_address(kType, *v); }), id) == v,
           "a masked address");
  if (const auto v = decode_lifetime(value))
    expect(decode_lifetime(rewritten(id, [&](auto& b) { b.add_lifetime(*v); })) == v, "LIFETIME");
  if (const auto v = decode_channel_number(value))
    expect(decode_channel_number(rewritten(id, [&](auto& b) { b.add_channel_number(*v); })) == v,
           "CHANNEL-NUMBER");
  if (const auto v = decode_requested_transport(value))
    expect(decode_requested_transport(rewritten(id, [&](auto& b) { b.add_requested_transport(*v); })) == v,
           "REQUESTED-TRANSPORT");
  if (const auto v = decode_address_family(value))
    expect(decode_address_family(rewritten(id, [&](auto& b) { b.add_family(kType, Family{*v}); })) == v,
           "an address family");
  if (const auto v = decode_even_port(value))
    expect(decode_even_port(rewritten(id, [&](auto& b) { b.add_even_port(*v); })) == v, "EVEN-PORT");
  if (const auto v = decode_reservation_token(value)) expect(same(*v, value), "RESERVATION-TOKEN");
  if (const auto v = decode_password_algorithm(value)) {
    const auto algorithm = static_cast<PasswordAlgorithm>(*v);
    expect(same(rewritten(id, [&](auto& b) { b.add_password_algorithm(algorithm); }), value),
           "PASSWORD-ALGORITHM");
  }
  if (const auto v = decode_change_request(value))
    expect(decode_change_request(rewritten(id, [&](auto& b) { b.add_change_request(*v); })) == v,
           "CHANGE-REQUEST");
  if (const auto v = decode_response_port(value))
    expect(decode_response_port(rewritten(id, [&](auto& b) { b.add_response_port(*v); })) == v,
           "RESPONSE-PORT");
  if (const auto v = decode_connection_id(value))
    expect(decode_connection_id(rewritten(id, [&](auto& b) { b.add_u32(kType, *v); })) == v, "CONNECTION-ID");
  if (const auto v = decode_icmp(value))
    expect(decode_icmp(rewritten(id, [&](auto& b) { b.add_icmp(*v); })) == v, "ICMP");
  if (const auto v = decode_error_code(value)) {
    expect(v->code >= 300 && v->code <= 699, "ERROR-CODE is 300 to 699");
    expect(lies_inside(as_bytes(v->reason), value), "the reason lies in the value");
    const auto again = rewritten(id, [&](auto& b) { b.add_error(static_cast<ErrorCode>(v->code)); });
    expect(decode_error_code(again)->code == v->code, "ERROR-CODE");
  }
}

void check_rebuilt(const MessageView& message, const std::vector<Attribute>& attributes,
                   crypto::Digester& digester) {
  const Bytes key = as_bytes("key");
  Octets buffer(message.bytes().size() + 24 + 36 + 8);
  MessageBuilder builder(buffer, message.type(), message.transaction_id());
  for (const Attribute& attribute : attributes) builder.add(attribute.type, attribute.value);
  const auto plain = MessageView::parse(builder.bytes());
  expect(plain.has_value(), "what was read can be written");
  expect(plain->type() == message.type(), "the type survives");
  expect(plain->transaction_id() == message.transaction_id(), "the transaction id survives");
  expect(same_attributes(attributes_of(*plain), attributes), "the attributes survive");

  builder.add_integrity_sha1(digester, key).add_integrity_sha256(digester, key).add_fingerprint();
  if (!builder.ok()) {
    expect(message.bytes().size() + 24 + 36 + 8 > kMaxMessageSize,
           "only the longest messages cannot be signed");
    return;
  }
  const auto signed_message = MessageView::parse(builder.bytes());
  expect(signed_message.has_value(), "what was signed can be read");
  expect(same_attributes(attributes_of(*signed_message), attributes), "the attributes survive a signature");
  expect(signed_message->verify_integrity_sha1(digester, key), "MESSAGE-INTEGRITY");
  expect(signed_message->verify_integrity_sha256(digester, key), "MESSAGE-INTEGRITY-SHA256");
  expect(signed_message->has_fingerprint(), "FINGERPRINT");
}

void check(Bytes datagram, crypto::Digester& digester) {
  if (const auto old = MessageView::parse_rfc3489(datagram)) check_views(*old, attributes_of(*old));
  const auto message = MessageView::parse(datagram);
  if (!message) return;
  const std::vector<Attribute> attributes = attributes_of(*message);
  check_views(*message, attributes);
  for (const Attribute& attribute : attributes) check_decoders(attribute.value, message->transaction_id());
  if (message->verify_integrity_sha1(digester, as_bytes("key")))
    expect(message->has_integrity_sha1(), "what is verified is there");
  if (message->verify_integrity_sha256(digester, as_bytes("key")))
    expect(message->has_integrity_sha256(), "what is verified is there");
  check_rebuilt(*message, attributes, digester);
}

// Returns the same message with a header that parse accepts, and with a correct FINGERPRINT at its end.
Octets mended(Bytes datagram) {
  Octets message(datagram.begin(), datagram.end());
  message.resize(std::min<std::size_t>(std::max(message.size() / 4 * 4, kHeaderSize), 65552));
  message[0] &= 0x3F;
  store_u16(&message[2], static_cast<std::uint16_t>(message.size() - kHeaderSize));
  store_u32(&message[4], kMagicCookie);
  if (message.size() < kHeaderSize + 8) return message;
  const std::size_t covered = message.size() - 8;
  if (load_u32(&message[covered]) == 0x80280004)
    store_u32(&message[covered + 4], crypto::crc32(Bytes(message).first(covered)) ^ kFingerprintXor);
  return message;
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static turnpike::crypto::Digester digester;
  turnpike::fuzz::check({data, size}, digester);
  turnpike::fuzz::check(turnpike::fuzz::mended({data, size}), digester);
  return 0;
}
