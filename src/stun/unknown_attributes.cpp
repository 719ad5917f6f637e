#include "turnpike/stun/unknown_attributes.hpp"

#include <algorithm>

namespace turnpike::stun {

namespace {

bool is_known(AttributeType type, KnownHere known) {
  switch (understood_by(type)) {
    case UnderstoodBy::every_server: return true;
    case UnderstoodBy::token_servers: return known.tokens;
    case UnderstoodBy::nat_discovery_servers: return known.nat_discovery;
    case UnderstoodBy::nobody: return false;
  }
  return false;
}

}  // namespace

UnknownTypes unknown_required(const MessageView& message, KnownHere known) {
  UnknownTypes unknown;
  message.for_each([&](const Attribute& attribute) {
    if (!comprehension_required(attribute.type) || is_known(attribute.type, known)) return;
    if (unknown.size() < unknown.capacity() && std::ranges::find(unknown, attribute.type) == unknown.end()) {
      unknown.push_back(attribute.type);
    }
  });
  return unknown;
}

}  // namespace turnpike::stun
