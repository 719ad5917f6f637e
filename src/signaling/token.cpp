#include "turnpike/signaling/token.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>

#include "turnpike/auth/opaque_string.hpp"
#include "turnpike/auth/rest.hpp"
#include "turnpike/base/text.hpp"
#include "turnpike/crypto/base64.hpp"

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::size_t kMaxClaim = 128;  // bytes

std::optional<json::object> decode(std::string_view part) {
  const auto bytes = crypto::base64url_decode(part);
  if (!bytes) return std::nullopt;
  boost::system::error_code error;
  json::value value = json::parse(as_text(*bytes), error);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

// RFC 7519 §2: NumericDate, seconds since the epoch, with a fraction or without.
std::optional<WallTime> to_time(const json::value& value) {
  boost::system::error_code error;
  const auto seconds = value.to_number<double>(error);
  if (error || !std::isfinite(seconds) || std::fabs(seconds) > 1e12) return std::nullopt;
  return WallTime(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

// Reads a claim that has to be a short text. An absent claim is fine, and leaves `out` unchanged.
bool read_text(const json::object& claims, std::string_view name, std::string& out) {
  const json::value* value = claims.if_contains(name);
  if (!value) return true;
  if (!value->is_string() || value->get_string().size() > kMaxClaim) return false;
  out = std::string_view(value->get_string());
  return count_characters(out).has_value();
}

// Returns the id by which a token can be revoked, or an empty text when it has none.
std::string id_of(const json::object& claims) {
  const json::value* value = claims.if_contains("jti");
  const bool is_id = value && value->is_string() && value->get_string().size() <= auth::kMaxTokenId;
  return is_id ? std::string(std::string_view(value->get_string())) : std::string();
}

}  // namespace

bool TokenVerifier::is_signed(std::string_view content, Bytes signature) {
  bool found = false;
  for (const std::string& secret : secrets_) {
    const crypto::Sha256 expected = digester_.hmac_sha256(as_bytes(secret), {as_bytes(content)});
    found |= crypto::equal_in_constant_time(expected, signature);
  }
  return found;
}

Result<Grant, Refusal> TokenVerifier::verify(std::string_view token, WallTime now) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  if (token.size() > kMaxToken || first == std::string_view::npos || second == std::string_view::npos) {
    return Refusal::token_invalid;
  }
  const auto signature = crypto::base64url_decode(token.substr(second + 1));
  if (!signature || !is_signed(token.substr(0, second), *signature)) return Refusal::token_invalid;

  const auto header = decode(token.substr(0, first));
  const auto claims = decode(token.substr(first + 1, second - first - 1));
  if (!header || !claims || header->contains("crit")) return Refusal::token_invalid;  // RFC 7515 §4.1.11
  const json::value* algorithm = header->if_contains("alg");
  const json::value* expires = claims->if_contains("exp");
  const json::value* not_before = claims->if_contains("nbf");
  if (!algorithm || *algorithm != "HS256" || !expires) return Refusal::token_invalid;

  if (!is_for_us(*claims)) return Refusal::token_invalid;

  const std::optional<WallTime> end = to_time(*expires);
  if (!end) return Refusal::token_invalid;
  if (*end + kLeeway <= now) return Refusal::token_expired;
  if (not_before) {
    const std::optional<WallTime> start = to_time(*not_before);
    if (!start) return Refusal::token_invalid;
    if (now + kLeeway < *start) return Refusal::token_not_yet_valid;
  }

  Grant grant;
  grant.good_until = *end + kLeeway;
  std::string room;
  if (!read_text(*claims, "room", room) || !read_text(*claims, "role", grant.role) ||
      !read_text(*claims, "sub", grant.subject)) {
    return Refusal::token_invalid;
  }
  if (claims->contains("room")) grant.room = std::move(room);
  if (!grant.subject.empty()) {  // it becomes part of a TURN user name
    const std::optional<std::string> prepared = auth::opaque_string(grant.subject);
    if (!prepared) return Refusal::token_invalid;
    grant.subject = auth::user_of_subject(*prepared);
  }
  grant.id = id_of(*claims);
  if (const json::value* issued = claims->if_contains("iat")) grant.issued = to_time(*issued);
  if (revocations_.has(grant.id, grant.subject, grant.issued, now)) return Refusal::token_revoked;
  return grant;
}

bool TokenVerifier::is_for_us(const boost::json::object& claims) const {
  if (audience_.empty()) return true;
  const json::value* audience = claims.if_contains("aud");
  if (!audience) return false;
  const auto is_ours = [&](const json::value& one) {
    return one.is_string() && one.get_string() == audience_;
  };
  return audience->is_array() ? std::ranges::any_of(audience->get_array(), is_ours) : is_ours(*audience);
}

std::string sign_token(std::string_view payload, std::string_view secret) {
  const std::string content =
      crypto::base64url_encode(as_bytes(kHeader)) + '.' + crypto::base64url_encode(as_bytes(payload));
  crypto::Digester digester;
  const crypto::Sha256 signature = digester.hmac_sha256(as_bytes(secret), {as_bytes(content)});
  return content + '.' + crypto::base64url_encode(signature);
}

}  // namespace turnpike::signaling
