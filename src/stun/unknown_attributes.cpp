#include "turnpike/stun/unknown_attributes.hpp"

#include <algorithm>

#include "turnpike/stun/attributes.hpp"

namespace turnpike::stun {

namespace {

bool asks_for_no_change(const Attribute& attribute) {
  return attribute.type == AttributeType::change_request &&
         decode_change_request(attribute.value) == ChangeRequest{};
}

bool is_known(const Attribute& attribute, KnownHere known) {
  if (known.empty_change_request && asks_for_no_change(attribute)) return true;
  switch (understood_by(attribute.type)) {
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
    if (!comprehension_required(attribute.type) || is_known(attribute, known)) return;
    if (unknown.size() < unknown.capacity() && std::ranges::find(unknown, attribute.type) == unknown.end()) {
      unknown.push_back(attribute.type);
    }
  });
  return unknown;
}

}  // namespace turnpike::stun
