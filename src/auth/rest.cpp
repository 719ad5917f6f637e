#include "turnpike/auth/rest.hpp"

#include <charconv>

#include "turnpike/crypto/base64.hpp"

namespace turnpike::auth {

std::optional<RestName> parse_rest_name(std::string_view username) {
  const std::size_t colon = username.find(':');
  const std::string_view digits = username.substr(0, colon);
  // from_chars would accept a minus sign, and a 16th digit could overflow the milliseconds.
  if (digits.empty() || digits.size() > 15 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t seconds = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  const std::string_view user =
      colon == std::string_view::npos ? std::string_view() : username.substr(colon + 1);
  return RestName{WallTime(std::chrono::seconds(seconds)), user};
}

bool is_name_of(std::string_view name, std::string_view user) {
  if (name == user) return true;
  const std::optional<RestName> rest = parse_rest_name(name);
  return rest && !user.empty() && rest->user == user;
}

bool is_guest_name(std::string_view user) { return user.starts_with("guest-"); }

std::string user_of_subject(std::string_view subject) {
  constexpr std::string_view kMark = "sub-";
  const bool needs_mark = is_guest_name(subject) || subject.starts_with(kMark);
  return std::string(needs_mark ? kMark : "").append(subject);
}

std::string rest_password(crypto::Digester& digester, std::string_view secret, std::string_view username) {
  return crypto::base64_encode(digester.hmac_sha1(as_bytes(secret), {as_bytes(username)}));
}

}  // namespace turnpike::auth
