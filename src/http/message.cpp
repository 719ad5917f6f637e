#include "http/message.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace turnpike::http {

std::string_view Request::header(std::string_view name) const {
  const auto it = std::ranges::find_if(
      headers, [&](const auto& header) { return boost::beast::iequals(header.first, name); });
  return it == headers.end() ? std::string_view() : it->second;
}

std::string Request::header_list(std::string_view name) const {
  std::string list;
  for (const auto& [field, value] : headers) {
    if (!boost::beast::iequals(field, name) || value.empty()) continue;
    list.append(list.empty() ? "" : ", ").append(value);
  }
  return list;
}

Response error_response(unsigned status, std::string_view text) {
  Response response{.status = status, .headers = {}, .body = {}};
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
  std::string body = std::to_string(status).append(" ").append(reason.data(), reason.size());
  if (!text.empty()) body.append(": ").append(text);
  response.set("Content-Type", "text/plain; charset=utf-8");
  response.set("Cache-Control", "no-store");
  response.body = body.append("\n");
  return response;
}

Response json_response(std::string body) {
  Response response{.status = 200, .headers = {}, .body = std::move(body)};
  response.set("Content-Type", "application/json");
  response.set("Cache-Control", "no-store");
  return response;
}

std::optional<std::string> Request::query(std::string_view name) const {
  const auto url = boost::urls::parse_origin_form(target);  // Boost 1.81's parse_query reads past its view
  if (!url) return std::nullopt;
  for (const auto& param : url->params()) {
    if (param.key == name) return param.value;
  }
  return std::nullopt;
}

bool parse_target(std::string_view target, Request& request) {
  const auto url = boost::urls::parse_origin_form(target);
  if (!url) return false;
  request.target = target;
  request.path = url->path();
  return request.path.find('\0') == std::string::npos;
}

std::string_view host_without_port(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    return end == std::string_view::npos ? std::string_view() : authority.substr(1, end - 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace turnpike::http
