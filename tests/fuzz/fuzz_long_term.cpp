// Fuzzes the long-term check. A request that is accepted has a valid nonce, our realm, a name that the store
// contains, and an integrity attribute with that name's key. A refusal has the code 400, 401 or 438.
//
// The first octet decides how the rest is used: as a whole message, or as attributes in front of a correct
// signature, since no fuzzer can guess an HMAC.
#include <array>
#include <string>
#include <vector>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/stun/message_builder.hpp"

namespace turnpike::fuzz {
namespace {

using namespace auth;
using stun::AttributeType;
using stun::MessageView;
using stun::PasswordAlgorithm;

using Octets = std::vector<std::uint8_t>;

constexpr Nonces::MasterKey kMaster{4, 5, 6};
constexpr WallTime kNow(std::chrono::seconds(1'735'689'600));
constexpr std::string_view kRestName = "1800000000:guest";

enum How : std::uint8_t {
  sign = 1 << 0,
  with_sha256_key = 1 << 1,
  with_integrity_sha256 = 1 << 2,
  by_userhash = 1 << 3,
  as_guest = 1 << 4,  // a REST name
  without_algorithms = 1 << 5,
  other_store = 1 << 6,
  known_before = 1 << 7,
};

struct World {
  crypto::Digester digester;
  CredentialStore users;  // passwords, and so both algorithms and anonymity
  CredentialStore users_and_secrets;
  LongTermCheck check{digester, kMaster, std::chrono::seconds(600)};
  Nonces nonces{kMaster, std::chrono::seconds(600)};
  FiveTuple from{*Endpoint::parse("198.51.100.1:40001"), *Endpoint::parse("192.0.2.1:3478")};
  Identity alice;

  static Params params(std::vector<std::string> secrets) {
    return {.realm = "example.org",
            .users = {{"alice", "wonder", {}, {}}, {"bob", "builder", {}, {}}},
            .secrets = std::move(secrets),
            .third_party = {"turn.example.org", {}}};
  }

  // Users of the relay, of every kind.
  static Params all_params() {
    Params all = params({"north", "south"});
    all.third_party.keys = {{"k1", TokenAlgorithm::a256gcm, Octets(32, 'k'), {}, {}}};
    return all;
  }

  World() : users(params({}), digester), users_and_secrets(all_params(), digester) {
    alice = {"alice", *users.find("alice")->key(PasswordAlgorithm::md5), std::nullopt};
  }

  NonceBinding binding(const CredentialStore& store) const {
    return {from.client, from.transport, store.algorithms(), store.offers_anonymity()};
  }
};

// Returns the message with a header that fits to its contents.
Octets mended(Bytes datagram) {
  Octets message(datagram.begin(), datagram.end());
  message.resize(std::clamp<std::size_t>(message.size() / 4 * 4, stun::kHeaderSize, 4096));
  message[0] &= 0x3F;
  store_u16(&message[2], static_cast<std::uint16_t>(message.size() - stun::kHeaderSize));
  store_u32(&message[4], stun::kMagicCookie);
  return message;
}

// Returns the attributes of `message` before its signature, and then a correct signature.
Octets resigned(World& world, const CredentialStore& store, std::uint8_t how, const MessageView& message) {
  Octets buffer(8192);
  stun::MessageBuilder builder(buffer, message.type(), message.transaction_id());
  message.for_each([&](const stun::Attribute& attribute) { builder.add(attribute.type, attribute.value); });

  const std::string_view name = (how & as_guest) ? kRestName : "alice";
  const std::string password = (how & as_guest) ? rest_password(world.digester, "south", name) : "wonder";
  if (how & by_userhash) {
    builder.add(AttributeType::userhash, Bytes(userhash(world.digester, name, store.realm())));
  } else {
    builder.add(AttributeType::username, name);
  }
  builder.add(AttributeType::realm, std::string_view(store.realm()));
  builder.add(AttributeType::nonce,
              std::string_view(world.nonces.mint(world.digester, world.binding(store), kNow)));
  if (!(how & without_algorithms)) {
    builder.add_password_algorithms(store.algorithms());
    builder.add_password_algorithm((how & with_sha256_key) ? PasswordAlgorithm::sha256
                                                           : PasswordAlgorithm::md5);
  }
  const Key key = (how & with_sha256_key)
                      ? Key(long_term_key_sha256(world.digester, name, store.realm(), password))
                      : Key(long_term_key_md5(world.digester, name, store.realm(), password));
  if (how & with_integrity_sha256) {
    builder.add_integrity_sha256(world.digester, key.bytes());
  } else {
    builder.add_integrity_sha1(world.digester, key.bytes());
  }
  return {builder.bytes().begin(), builder.bytes().end()};
}

// Returns whether the message already has one of the attributes that the check reads, in front of ours.
bool says_who(const MessageView& message) {
  using enum AttributeType;
  for (const AttributeType type :
       {username, userhash, realm, nonce, password_algorithm, password_algorithms, access_token}) {
    if (message.has(type)) return true;
  }
  return false;
}

void check_admitted(World& world, const CredentialStore& store, const MessageView& message,
                    const Authenticated& admitted, const Identity* known) {
  const auto nonce = message.find(AttributeType::nonce);
  const auto realm = message.find(AttributeType::realm);
  expect(nonce && world.nonces.verify(world.digester, as_text(*nonce), world.binding(store), kNow),
         "the nonce is ours");
  expect(realm && as_text(*realm) == store.realm(), "the realm is ours");

  const Identity& who = admitted.identity;
  const bool sha256 = message.has_integrity_sha256();
  const bool named = message.has(AttributeType::password_algorithm) && !who.is_token();
  expect((admitted.integrity == Integrity::sha256) == (sha256 || named),
         "the answer is signed as the request was, or better");
  expect(sha256 ? message.verify_integrity_sha256(world.digester, who.key.bytes())
                : message.verify_integrity_sha1(world.digester, who.key.bytes()),
         "the key is the one that signed");
  if (const auto username = message.find(AttributeType::username)) {
    expect(as_text(*username) == who.username, "the name is the one that was given");
  } else {
    expect(
        same(*message.find(AttributeType::userhash), userhash(world.digester, who.username, store.realm())),
        "the hash is that of the name");
  }
  expect(!who.is_token() || message.has(AttributeType::access_token), "a token is there");
  const bool is_known = known && known->username == who.username;
  expect(is_known || store.find(who.username) || (who.is_token() && store.find_token_key(who.username)) ||
             (!store.secrets().empty() && parse_rest_name(who.username)),
         "the name belongs to the store");
  expect(store.offers(who.key.algorithm), "the algorithm was offered");
}

void judge(World& world, const CredentialStore& store, Bytes octets, const Identity* known, bool must_pass) {
  const auto message = MessageView::parse(octets);
  if (!message) return;
  const auto result = world.check.check(store, *message, world.from, kNow, known);
  const auto again = world.check.check(store, *message, world.from, kNow, known);
  expect(result.has_value() == again.has_value(), "the same request has the same result");
  if (result) return check_admitted(world, store, *message, *result, known);

  const auto code = static_cast<int>(result.error().code);
  expect(code == 400 || code == 401 || code == 438, "a refusal is 400, 401 or 438");
  expect(code != 438 || !result.error().had_valid_nonce, "438 is for a nonce that is not valid");
  expect(message->has_integrity() || code == 401, "without an integrity attribute it is 401");
  expect(!must_pass, "a request signed as it should be is let in");
}

// Checks texts alone.
void check_texts(World& world, std::string_view text) {
  const NonceBinding binding = world.binding(world.users);
  if (world.nonces.verify(world.digester, text, binding, kNow))
    expect(text.starts_with("obMatJos2"), "a nonce begins with the cookie");
  if (const auto prepared = opaque_string(text)) expect(!prepared->empty(), "an OpaqueString is never empty");
  if (const auto rest = parse_rest_name(text))
    expect(rest->user.empty() || text.ends_with(rest->user), "the user is the end of a REST name");
}

void run(World& world, Bytes data) {
  Input input(data);
  const std::uint8_t how = input.u8();
  const CredentialStore& store = (how & other_store) ? world.users_and_secrets : world.users;
  const Identity* known = (how & known_before) ? &world.alice : nullptr;
  check_texts(world, as_text(input.rest()));
  judge(world, store, input.rest(), known, false);

  const Octets whole = mended(input.rest());
  judge(world, store, whole, known, false);
  const auto message = MessageView::parse(whole);
  if (!message || !(how & sign)) return;
  const Octets good = resigned(world, store, how, *message);
  if (good.empty()) return;
  const bool guest_can_enter = !(how & as_guest) || ((how & other_store) && !(how & by_userhash));
  const bool key_fits = !(how & with_sha256_key) || !(how & without_algorithms);
  judge(world, store, good, known, guest_can_enter && key_fits && !says_who(*message));

  // One octet of it changed, as the input says.
  Octets bad = good;
  const std::size_t at = (how * 31u + whole.back() + whole.size()) % bad.size();
  bad[at] = static_cast<std::uint8_t>(bad[at] ^ (1 + whole[19] % 255));
  judge(world, store, bad, known, false);
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static turnpike::fuzz::World world;
  turnpike::fuzz::run(world, {data, size});
  return 0;
}
