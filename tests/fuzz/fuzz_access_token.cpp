// Fuzzes access tokens in the long-term check. The first octet decides how the rest is used: as the token
// itself, or as the contents that an authorization server seals. In the second case, the request is signed
// with the session key in these contents. Every request that is accepted must conform to RFC 7635.
#include <algorithm>
#include <optional>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "support/access_token.hpp"
#include "turnpike/auth/long_term.hpp"

namespace turnpike::fuzz {
namespace {

using namespace auth;
using test::Octets;
using test::RequestMaker;
using test::Signing;
using test::TokenMaker;

constexpr WallTime kNow(std::chrono::seconds(1'735'689'600));

enum How : std::uint8_t {
  seal = 1 << 0,
  with_south = 1 << 1,
  sign_sha256 = 1 << 2,
  name_nobody = 1 << 3,
  for_another_server = 1 << 4,
  odd_nonce = 1 << 5,
  now_issued = 1 << 6,  // so that not only what guesses the time is let in
};

// The contents of a sealed token, read by independent code.
struct Content {
  std::string mac_key;
  std::uint64_t milliseconds = 0;
  std::uint64_t lifetime = 0;

  static std::optional<Content> read(const Octets& plain) {
    if (plain.size() < 2) return std::nullopt;
    const std::size_t size = plain[0] * 256u + plain[1];
    if (plain.size() != 2 + size + 12) return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t octets) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < octets; ++i) value = value * 256 + plain[2 + size + at + i];
      return value;
    };
    return Content{std::string(plain.begin() + 2, plain.begin() + 2 + static_cast<std::ptrdiff_t>(size)),
                   number(0, 6) * 1000 + number(6, 2) / 64, number(8, 4)};
  }

  bool is_good(bool sha256) const {
    constexpr std::uint64_t kMilliseconds = 1'735'689'600'000;
    constexpr std::uint64_t kDelta = 5000;
    return mac_key.size() >= (sha256 ? 32 : 20) && mac_key.size() <= 64 &&
           milliseconds <= kMilliseconds + kDelta && kMilliseconds < milliseconds + lifetime * 1000 + kDelta;
  }
};

struct World {
  crypto::Digester digester;
  CredentialStore store{{.realm = std::string(test::kRealm),
                         .users = {{"alice", "alice's password", {}, {}}},
                         .secrets = {},
                         .third_party = test::north_and_south()},
                        digester};
  LongTermCheck check{digester, Nonces::MasterKey{4, 5, 6}, std::chrono::seconds(600)};
  Nonces nonces{Nonces::MasterKey{4, 5, 6}, std::chrono::seconds(600)};

  Result<Authenticated, Refusal> judge(const RequestMaker& request) {
    const FiveTuple& from = request.client().tuple;
    const std::string nonce = nonces.mint(
        digester, {from.client, from.transport, store.algorithms(), store.offers_anonymity()}, kNow);
    const Octets octets = request.build(digester, nonce, {});
    return check.check(store, *stun::MessageView::parse(octets), from, kNow, nullptr);
  }
};

void judge_unsealed(World& world, Bytes token) {
  for (const char* kid : {"north", "south", "alice"}) {
    const auto result = world.judge(test::allocate().with_token(token, kid, "a key of twenty octs"));
    expect(!result && result.error().code == stun::ErrorCode::unauthenticated, "nobody guesses a token");
  }
}

void judge_sealed(World& world, std::uint8_t how, Octets plain) {
  if ((how & now_issued) && plain.size() >= 12) {
    Octets time;
    TokenMaker::put(time, 1'735'689'600, 6);
    std::ranges::copy(time, plain.end() - 12);
  }
  TokenMaker maker;
  if (how & with_south) maker.key = test::south();
  if (how & for_another_server) maker.server_name = "turn.example.com";
  if (how & odd_nonce) maker.nonce = "thirteen byte";
  const auto content = Content::read(plain);
  const bool sha256 = (how & sign_sha256) != 0;
  RequestMaker request = test::allocate().with_token(
      maker.seal(plain), (how & name_nobody) ? "west" : maker.key.kid, content ? content->mac_key : "none");
  if (sha256) request.signing(Signing::sha256);

  const auto result = world.judge(request);
  const bool fits = !(how & (for_another_server | odd_nonce | name_nobody));
  expect(result.has_value() == (fits && content && content->is_good(sha256)),
         "those are let in whose token is for us, has its form and is current, and nobody else");
  if (!result) {
    expect(result.error().code == stun::ErrorCode::unauthenticated, "and the others are a 401");
    return;
  }
  const Identity& who = result->identity;
  expect(who.is_token() && who.username == maker.key.kid, "who it is, is a token of that key");
  expect(as_text(who.key.bytes()) == content->mac_key, "the key is the one in the token");
  expect(who.expires && *who.expires <= kNow + std::chrono::seconds(content->lifetime),
         "and it ends with the token's life");
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike::fuzz;
  static World world;
  Input input({data, std::min<std::size_t>(size, 2000)});
  const std::uint8_t how = input.u8();
  if (how & How::seal) {
    judge_sealed(world, how, {input.rest().begin(), input.rest().end()});
  } else {
    judge_unsealed(world, input.rest());
  }
  return 0;
}
