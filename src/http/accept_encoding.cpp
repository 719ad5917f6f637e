#include "http/accept_encoding.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>
#include <string>

namespace turnpike::http {
namespace {

namespace beast = boost::beast;

// Returns whether the weight of a coding is 0, which means "not acceptable" (RFC 9110 §12.4.2). The weight
// may have decimals.
template <class Parameters>
bool is_refused(const Parameters& parameters) {
  return std::ranges::any_of(parameters, [](const auto& parameter) {
    const auto weight = parameter.second;
    return beast::iequals(parameter.first, "q") && !weight.empty() &&
           std::ranges::all_of(weight, [](char c) { return c == '0' || c == '.'; });
  });
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<bool> gzip;
  std::optional<bool> others;
  // Beast gives the last member of a list the parameters of the previous one when it has none itself. An
  // empty member at the end prevents this.
  const std::string list = std::string(accept_encoding).append(",");
  const beast::http::ext_list codings(list);
  for (const auto& [coding, parameters] : codings) {
    const bool accepted = !is_refused(parameters);
    if (beast::iequals(coding, "gzip") || beast::iequals(coding, "x-gzip"))
      gzip = gzip.value_or(false) || accepted;
    if (coding == "*") others = accepted;
  }
  return gzip.value_or(others.value_or(false));
}

}  // namespace turnpike::http
