#include "turnpike/signaling/token.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "support/manual_clock.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::signaling {
namespace {

using namespace std::chrono_literals;

const std::string kSecret = "a secret that the web application knows too";
constexpr std::int64_t kNow = 1'735'689'600;
constexpr WallTime kWall{std::chrono::seconds(kNow)};

std::string encoded(std::string_view text) { return crypto::base64url_encode(as_bytes(text)); }

// Returns `header.payload.signature` of these texts, with a valid signature.
std::string token_of(std::string_view header, std::string_view payload, std::string_view secret = kSecret) {
  const std::string content = encoded(header) + '.' + encoded(payload);
  crypto::Digester digester;
  return content + '.' +
         crypto::base64url_encode(digester.hmac_sha256(as_bytes(secret), {as_bytes(content)}));
}

// Returns claims with an expiry in an hour, and these further claims.
std::string claims(const std::string& more = {}) {
  return R"({"exp":)" + std::to_string(kNow + 3600) + (more.empty() ? "" : "," + more) + "}";
}

std::string outcome(const Result<Grant, Refusal>& result) {
  return result ? "granted" : std::string(code_of(result.error()));
}

struct Verifier {
  TokenVerifier verifier{{kSecret}};
  std::string operator()(std::string_view token, WallTime now = kWall) {
    return outcome(verifier.verify(token, now));
  }
};

TEST_CASE("the token of RFC 7515 A.1 verifies by its key", "[signaling]") {
  // This token's header contains a line break, and its claims have neither room nor sub.
  const auto key = crypto::base64url_decode(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  REQUIRE(key);
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  TokenVerifier verifier({std::string(as_text(*key))});
  constexpr WallTime kExpiry{std::chrono::seconds(1'300'819'440)};  // its exp and a minute
  const auto grant = verifier.verify(token, kExpiry - 1ms);
  REQUIRE(grant.has_value());
  CHECK_FALSE(grant->room);
  CHECK(grant->role.empty());
  CHECK(grant->subject.empty());
  CHECK(outcome(verifier.verify(token, kExpiry)) == "token-expired");
}

TEST_CASE("a token grants what it claims", "[signaling]") {
  TokenVerifier verifier({kSecret});
  const auto grant = verifier.verify(
      sign_token(claims(R"("room":"blue","role":"host","sub":"ann@example.org")"), kSecret), kWall);
  REQUIRE(grant.has_value());
  CHECK(grant->room == "blue");
  CHECK(grant->role == "host");
  CHECK(grant->subject == "ann@example.org");
}

TEST_CASE("a token has an id by which it can be revoked, unless that is too long for a revocation",
          "[signaling]") {
  TokenVerifier verifier({kSecret});
  for (const std::size_t size : {auth::kMaxTokenId, auth::kMaxTokenId + 1}) {
    const std::string id(size, 'x');
    const auto grant = verifier.verify(sign_token(claims(R"("jti":")" + id + '"'), kSecret), kWall);
    REQUIRE(grant.has_value());
    CHECK(grant->id == (size == auth::kMaxTokenId ? id : ""));
  }
}

TEST_CASE("claims have their kinds, and words that a user name can hold", "[signaling]") {
  struct Case {
    std::string more;
    std::string_view outcome;
  };
  const Case cases[] = {
      {"", "granted"},
      {R"("iss":"us","aud":["x"],"jti":1)", "granted"},
      {R"("room":"")", "granted"},  // but no room has that name
      {R"("room":null)", "token-invalid"},
      {R"("room":7)", "token-invalid"},
      {R"("room":["blue"])", "token-invalid"},
      {R"("room":"a\nb")", "token-invalid"},
      {R"("role":"")", "granted"},
      {R"("role":{})", "token-invalid"},
      {R"("role":"a\u0000")", "token-invalid"},
      {R"("sub":"")", "granted"},
      {R"("sub":1)", "token-invalid"},
      {R"("sub":"a\u0007b")", "token-invalid"},
      {R"("sub":"a\u00adb")", "token-invalid"},  // which the OpaqueString profile refuses
      {R"("sub":")" + std::string(128, 'x') + '"', "granted"},
      {R"("sub":")" + std::string(129, 'x') + '"', "token-invalid"},
      {R"("room":")" + std::string(128, 'x') + '"', "granted"},
      {R"("room":")" + std::string(129, 'x') + '"', "token-invalid"},
      {R"("role":")" + std::string(129, 'x') + '"', "token-invalid"},
  };
  Verifier verify;
  for (const Case& c : cases) {
    CAPTURE(c.more);
    CHECK(verify(sign_token(claims(c.more), kSecret)) == c.outcome);
  }
}

TEST_CASE("a subject is prepared as a user name is", "[signaling]") {
  TokenVerifier verifier({kSecret});
  const auto grant = verifier.verify(sign_token(claims(R"("sub":"a\u3000e\u0301")"), kSecret), kWall);
  REQUIRE(grant.has_value());
  CHECK(grant->subject == "a \u00e9");
}

TEST_CASE("a subject does not pass for a guest", "[signaling]") {
  TokenVerifier verifier({kSecret});
  const auto subject = [&](const std::string& sub) {
    const auto grant = verifier.verify(sign_token(claims("\"sub\":\"" + sub + '"'), kSecret), kWall);
    return grant ? grant->subject : "";
  };
  CHECK(subject("guest-0a1b2c3d4e5f") == "sub-guest-0a1b2c3d4e5f");
  CHECK(subject("sub-ann") == "sub-sub-ann");
}

TEST_CASE("a token is good from its nbf to its exp, and a minute to either side", "[signaling]") {
  struct Case {
    std::string payload;
    std::string_view outcome;  // at 1735689600
  };
  const Case cases[] = {
      {R"({"exp":1735689541})", "granted"},
      {R"({"exp":1735689540.001})", "granted"},
      {R"({"exp":1735689540.999})", "granted"},
      {R"({"exp":1.735689541e9})", "granted"},
      {R"({"exp":1735689540})", "token-expired"},
      {R"({"exp":1735689539.9})", "token-expired"},
      {R"({"exp":0})", "token-expired"},
      {R"({"exp":-1})", "token-expired"},
      {R"({"exp":999999999999})", "granted"},
      {R"({"exp":1e13})", "token-invalid"},
      {R"({"exp":1e400})", "token-invalid"},
      {R"({"exp":-1e400})", "token-invalid"},
      {R"({"exp":18446744073709551615})", "token-invalid"},
      {R"({"exp":"1735689601"})", "token-invalid"},
      {R"({"exp":null})", "token-invalid"},
      {R"({"exp":true})", "token-invalid"},
      {R"({"exp":[1735689601]})", "token-invalid"},
      {R"({"sub":"ann"})", "token-invalid"},  // for ever
      {R"({})", "token-invalid"},
      {R"({"exp":1735689601,"exp":1})", "token-expired"},  // the last counts
      {R"({"exp":1735689700,"nbf":1735689600})", "granted"},
      {R"({"exp":1735689700,"nbf":1735689660})", "granted"},
      {R"({"exp":1735689700,"nbf":1735689659.5})", "granted"},
      {R"({"exp":1735689700,"nbf":1735689660.001})", "token-not-yet-valid"},
      {R"({"exp":1735689700,"nbf":1735689661})", "token-not-yet-valid"},
      {R"({"exp":1,"nbf":1735689700})", "token-expired"},
      {R"({"exp":1735689700,"nbf":"0"})", "token-invalid"},
      {R"({"exp":1735689700,"nbf":null})", "token-invalid"},
      {R"({"exp":1735689700,"iat":1735689650})", "granted"},
  };
  Verifier verify;
  for (const Case& c : cases) {
    CAPTURE(c.payload);
    CHECK(verify(sign_token(c.payload, kSecret)) == c.outcome);
  }
}

TEST_CASE("a grant says until when it is good", "[signaling]") {
  TokenVerifier verifier({kSecret});
  const auto grant = verifier.verify(sign_token(R"({"exp":1735689700.25})", kSecret), kWall);
  REQUIRE(grant.has_value());
  CHECK(grant->good_until == WallTime(1'735'689'760'250ms));
}

TEST_CASE("only HS256 is accepted, whatever the header says", "[signaling]") {
  struct Case {
    std::string_view header;
    std::string_view outcome;
  };
  const Case cases[] = {
      {R"({"alg":"HS256"})", "granted"},
      {R"({"typ":"JWT","alg":"HS256","kid":"1"})", "granted"},
      {R"({"alg":"none"})", "token-invalid"},
      {R"({"alg":"None"})", "token-invalid"},
      {R"({"alg":"HS512"})", "token-invalid"},
      {R"({"alg":"HS384"})", "token-invalid"},
      {R"({"alg":"RS256"})", "token-invalid"},
      {R"({"alg":"hs256"})", "token-invalid"},
      {R"({"alg":"HS256 "})", "token-invalid"},
      {R"({"alg":""})", "token-invalid"},
      {R"({"alg":null})", "token-invalid"},
      {R"({"alg":["HS256"]})", "token-invalid"},
      {R"({"typ":"JWT"})", "token-invalid"},
      {R"({"alg":"HS256","alg":"none"})", "token-invalid"},
      {R"({"alg":"HS256","crit":["exp"]})", "token-invalid"},
      {R"({"alg":"HS256","crit":[]})", "token-invalid"},
      {R"({"alg":"HS256","b64":false,"crit":["b64"]})", "token-invalid"},
      {R"("HS256")", "token-invalid"},
      {R"([{"alg":"HS256"}])", "token-invalid"},
      {R"({"alg":"HS256")", "token-invalid"},
      {R"({"alg":"HS256"} x)", "token-invalid"},
      {"", "token-invalid"},
  };
  Verifier verify;
  for (const Case& c : cases) {
    CAPTURE(c.header);
    CHECK(verify(token_of(c.header, claims())) == c.outcome);
  }
  // These tokens are not signed, in the ways that attackers have used.
  const std::string none = encoded(R"({"alg":"none"})") + '.' + encoded(claims());
  CHECK(verify(none) == "token-invalid");
  CHECK(verify(none + '.') == "token-invalid");
  CHECK(verify(none + ".AAAA") == "token-invalid");
}

TEST_CASE("claims are an object", "[signaling]") {
  Verifier verify;
  for (const std::string payload : {"", "null", "1", "[]", R"(["exp"])", R"({"exp":)",
                                    "{\"exp\":9999999999}\x01", "{\"exp\":9999999999,\"sub\":\"\xff\"}"}) {
    CAPTURE(payload);
    CHECK(verify(sign_token(payload, kSecret)) == "token-invalid");
  }
}

TEST_CASE("a token with any changed character is refused", "[signaling]") {
  Verifier verify;
  const std::string token = sign_token(claims(R"("room":"blue")"), kSecret);
  REQUIRE(verify(token) == "granted");
  for (std::size_t at = 0; at < token.size(); ++at) {
    for (const char c : {'A', 'B', '.', '=', '\0'}) {
      if (token[at] == c) continue;
      std::string other = token;
      other[at] = c;
      CAPTURE(at, c);
      CHECK(verify(other) == "token-invalid");
    }
    CHECK(verify(token.substr(0, at)) == "token-invalid");
  }
  for (const std::string& other : {token + "A", token + ".", token + "=", " " + token, token + "\n",
                                   "." + token, token + "." + token, "Bearer " + token}) {
    CAPTURE(other);
    CHECK(verify(other) == "token-invalid");
  }
  // This token has the contents of one token and the signature of another.
  const std::string richer = sign_token(claims(R"("room":"red")"), kSecret);
  CHECK(verify(richer.substr(0, richer.rfind('.')) + token.substr(token.rfind('.'))) == "token-invalid");
}

TEST_CASE("a text that is no token is refused", "[signaling]") {
  Verifier verify;
  for (const std::string_view text : {"", ".", "..", "...", "a.b.c", "a.b", "token", "....."}) {
    CAPTURE(text);
    CHECK(verify(text) == "token-invalid");
  }
}

TEST_CASE("a token has a greatest length", "[signaling]") {
  Verifier verify;
  std::vector<std::size_t> sizes;
  for (const std::size_t bytes : {3011, 3012}) {
    std::string payload = claims(R"("x":"")");
    payload.insert(payload.size() - 2, std::string(bytes - payload.size(), 'x'));
    const std::string token = sign_token(payload, kSecret);
    sizes.push_back(token.size());
    CHECK(verify(token) == (token.size() <= TokenVerifier::kMaxToken ? "granted" : "token-invalid"));
  }
  CHECK(sizes == std::vector<std::size_t>{4096, 4097});
}

TEST_CASE("any of the secrets may have signed", "[signaling]") {
  TokenVerifier both({"old", "new"});
  TokenVerifier after({"new"});
  TokenVerifier none({});
  const std::string by_old = sign_token(claims(), "old");
  const std::string by_new = sign_token(claims(), "new");
  CHECK(outcome(both.verify(by_old, kWall)) == "granted");
  CHECK(outcome(both.verify(by_new, kWall)) == "granted");
  CHECK(outcome(both.verify(sign_token(claims(), "other"), kWall)) == "token-invalid");
  CHECK(outcome(after.verify(by_old, kWall)) == "token-invalid");
  CHECK(outcome(after.verify(by_new, kWall)) == "granted");
  for (const std::string& token : {by_old, by_new, sign_token(claims(), "")})
    CHECK(outcome(none.verify(token, kWall)) == "token-invalid");
}

// Claims without a valid signature are not examined: an expired token of a stranger is an invalid one.
TEST_CASE("a stranger learns nothing from the refusal", "[signaling]") {
  Verifier verify;
  CHECK(verify(sign_token(R"({"exp":1})", "another secret")) == "token-invalid");
  CHECK(verify(sign_token(R"({"exp":1})", kSecret)) == "token-expired");
}

TEST_CASE("a token is written as RFC 7515 has it", "[signaling]") {
  const std::string token = sign_token(R"({"exp":1})", kSecret);
  CHECK(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjF9."));
  CHECK(token.size() == 36 + 1 + 12 + 1 + 43);
  CHECK(token == token_of(R"({"alg":"HS256","typ":"JWT"})", R"({"exp":1})"));
}

TEST_CASE("when an audience is configured, a token has to name it", "[signaling]") {
  TokenVerifier verifier({kSecret}, "turnpike-admin");
  const auto verdict = [&](const std::string& more) {
    return outcome(verifier.verify(token_of(R"({"alg":"HS256"})", claims(more)), kWall));
  };
  CHECK(verdict(R"("aud":"turnpike-admin")") == "granted");
  CHECK(verdict(R"("aud":["x","turnpike-admin"])") == "granted");
  for (const char* other :
       {"", R"("aud":"x")", R"("aud":[])", R"("aud":["x"])", R"("aud":7)", R"("aud":[7])"}) {
    CHECK(verdict(other) == "token-invalid");
  }
  verifier.set_secrets({"another secret that is long enough"});
  CHECK(verdict(R"("aud":"turnpike-admin")") == "token-invalid");
}

}  // namespace
}  // namespace turnpike::signaling
