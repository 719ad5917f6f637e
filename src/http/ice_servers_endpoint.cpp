#include "http/ice_servers_endpoint.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "http/bearer.hpp"

namespace turnpike::http {
namespace {

namespace json = boost::json;
using signaling::Refusal;

unsigned status_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::token_required:
    case Refusal::token_invalid:
    case Refusal::token_expired:
    case Refusal::token_not_yet_valid:
    case Refusal::token_revoked: return 401;
    case Refusal::rate_limited: return 429;
    default: return 400;
  }
}

Response refuse(Refusal refusal) {
  Response response = json_response(json::serialize(
      json::object{{"code", signaling::code_of(refusal)}, {"message", signaling::message_of(refusal)}}));
  response.status = status_of(refusal);
  if (response.status == 401) response.set("WWW-Authenticate", "Bearer");  // RFC 6750 §3
  if (response.status == 429) response.set("Retry-After", "1");
  return response;
}

std::int64_t seconds_of(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

void IceServersEndpoint::add_routes(Router& router) {
  router.add("GET", "/ice-servers", at_once([this](const Request& request) { return ice_servers(request); }));
  for (const char* method : {"GET", "POST"}) {
    router.add(method, "/turn", at_once([this](const Request& request) { return turn_rest(request); }));
  }
}

Result<signaling::IceCredentials, Refusal> IceServersEndpoint::mint(const Request& request,
                                                                    std::string_view token) {
  const TimePoint now = params_.clock();
  const Result<signaling::Grant, Refusal> grant = params_.admit(token);
  if (!grant) return grant.error();
  if (!params_.minting.take(request.client, now.steady)) return Refusal::rate_limited;
  signaling::IceServers& ice_servers = params_.ice_servers;
  return ice_servers.mint(ice_servers.quota_user(grant->subject, request.client), now.wall);
}

Response IceServersEndpoint::minted(const Request& request, std::string_view token,
                                    const MakeBody& make_body) {
  if (!params_.origins.allows(request)) {
    if (params_.refused) params_.refused(refused_origin(request));
    return origin_forbidden();
  }
  const auto credentials = mint(request, token);
  if (!credentials && params_.refused) params_.refused(refused_of(credentials.error(), request.client));
  Response response = credentials ? json_response(make_body(*credentials)) : refuse(credentials.error());
  params_.origins.add_headers(request, response);
  return response;
}

Response IceServersEndpoint::ice_servers(const Request& request) {
  return minted(request, bearer_token(request), [&](const signaling::IceCredentials& credentials) {
    const std::string host = params_.ice_servers.host_for(request.host);
    return json::serialize(json::object{{"iceServers", params_.ice_servers.entries(host, credentials)},
                                        {"iceTransportPolicy", "all"},
                                        {"ttl", seconds_of(params_.ice_servers.lifetime())},
                                        {"expiresAt", signaling::to_rfc3339(credentials.expires)}});
  });
}

// The request of draft-uberti-behave-turn-rest §2.2. Janus sends it as a POST with the parameters in a form.
// `key` is the token of those who cannot send a header.
Response IceServersEndpoint::turn_rest(const Request& request) {
  if (request.query("service") != "turn" && request.form("service") != "turn") {
    return error_response(400, "expected ?service=turn");
  }
  std::string token(bearer_token(request));
  if (token.empty()) token = request.form("key").value_or("");
  if (token.empty()) token = request.query("key").value_or("");
  return minted(request, token, [&](const signaling::IceCredentials& credentials) {
    json::array uris;
    const std::string host = params_.ice_servers.host_for(request.host);
    for (const std::string& url : params_.ice_servers.choose_urls(host).turn) uris.emplace_back(url);
    return json::serialize(json::object{{"username", credentials.username},
                                        {"password", credentials.password},
                                        {"ttl", seconds_of(params_.ice_servers.lifetime())},
                                        {"uris", std::move(uris)}});
  });
}

}  // namespace turnpike::http
