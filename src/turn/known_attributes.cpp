#include "known_attributes.hpp"

#include <algorithm>

namespace turnpike::turn {

using stun::AttributeType;

namespace {

// The comprehension-required attributes of STUN and TURN that this server knows (RFC 8489 §18.3, RFC 8656
// §18, RFC 6062 §6.2).
bool is_known(AttributeType type) {
  switch (type) {
    case AttributeType::mapped_address:
    case AttributeType::username:
    case AttributeType::message_integrity:
    case AttributeType::error_code:
    case AttributeType::unknown_attributes:
    case AttributeType::channel_number:
    case AttributeType::lifetime:
    case AttributeType::xor_peer_address:
    case AttributeType::data:
    case AttributeType::realm:
    case AttributeType::nonce:
    case AttributeType::xor_relayed_address:
    case AttributeType::requested_address_family:
    case AttributeType::even_port:
    case AttributeType::requested_transport:
    case AttributeType::dont_fragment:
    case AttributeType::message_integrity_sha256:
    case AttributeType::password_algorithm:
    case AttributeType::userhash:
    case AttributeType::xor_mapped_address:
    case AttributeType::reservation_token:
    case AttributeType::connection_id: return true;
    default: return false;
  }
}

bool is_nat_discovery(AttributeType type) {
  return type == AttributeType::change_request || type == AttributeType::padding ||
         type == AttributeType::response_port;
}

}  // namespace

UnknownTypes unknown_required(const stun::MessageView& message, KnownHere known) {
  UnknownTypes unknown;
  message.for_each([&](const stun::Attribute& attribute) {
    if (!stun::comprehension_required(attribute.type) || is_known(attribute.type)) return;
    if (known.tokens && attribute.type == AttributeType::access_token) return;
    if (known.nat_discovery && is_nat_discovery(attribute.type)) return;
    if (unknown.size() < unknown.capacity() && std::ranges::find(unknown, attribute.type) == unknown.end()) {
      unknown.push_back(attribute.type);
    }
  });
  return unknown;
}

}  // namespace turnpike::turn
