// Fuzzes what nodes read from Redis. The first octet decides what the rest is read as. A value that is
// accepted is written and read again, and must stay the same. A seal is accepted only at its place and with
// its secret.
#include <optional>
#include <string>

#include "cluster/node_record.hpp"
#include "cluster/room_message.hpp"
#include "cluster/seal.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"

namespace turnpike::fuzz {
namespace {

using namespace cluster;

constexpr std::size_t kMaxNames = 1000;

template <class Parse>
void check_read_again(std::string_view text, Parse parse) {
  const auto first = parse(text);
  if (!first) return;
  const std::string written = to_json(*first);
  const auto second = parse(std::string_view(written));
  expect(second.has_value(), "what is written can be read");
  expect(to_json(*second) == written, "and is the same");
}

void check_node(std::string_view text) {
  check_read_again(text, [](std::string_view t) { return parse_node_record(t); });
  const std::optional<NodeRecord> record = parse_node_record(text);
  if (!record) return;
  expect(!record->name.empty(), "a node has a name");
  expect(record->load() >= 0 && record->load() <= 1, "a load is a fraction");
  expect(record->held_by_user.size() <= kMaxNames && record->held_by_address.size() <= kMaxNames &&
             record->demand_by_user.size() <= kMaxNames,
         "no list is without bound");
}

void check_seal(Bytes sealed) {
  Seal ours({"a secret of all nodes", "an older secret"});
  Seal others({"another secret entirely"});
  expect(!ours.open("place", as_text(sealed)), "nobody guesses a signature");
  const std::string text(as_text(sealed));
  const std::string own = ours.seal("place", text);
  expect(ours.open("place", own) == text, "our own is accepted");
  expect(!ours.open("another place", own), "at its place alone");
  expect(!others.open("place", own), "by our secret alone");
  Seal older({"an older secret"});
  expect(ours.open("place", older.seal("place", text)) == text, "while secrets change, both are");
}

void check(Bytes bytes) {
  Input input(bytes);
  const std::size_t kind = input.pick(5);
  const Bytes rest = input.rest();
  const std::string_view text = as_text(rest);
  switch (kind) {
    case 0: return check_node(text);
    case 1: return check_read_again(text, [](std::string_view t) { return parse_room_message(t); });
    case 2: return check_read_again(text, [](std::string_view t) { return parse_presence(t); });
    case 3: return check_read_again(text, [](std::string_view t) { return parse_kept_event(t); });
    default: return check_seal(rest);
  }
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  turnpike::fuzz::check({data, size});
  return 0;
}
