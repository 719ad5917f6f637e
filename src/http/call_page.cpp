#include "http/call_page.hpp"

#include <algorithm>

#include "http/accept_encoding.hpp"
#include "http/assets.hpp"
#include "http/conditional.hpp"

namespace turnpike::http {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri "
    "'none'; "
    "form-action 'none'; frame-ancestors 'none'";

// The path of the admin listener's page among the assets.
constexpr std::string_view kStatusPage = "/admin-status";

Response serve(const Request& request, const Asset& asset) {
  Response response;
  response.set("Cache-Control", "no-cache");  // browsers may store it, and must revalidate it each time
  response.set("Vary", "Accept-Encoding");
  const bool gzip = !asset.gzip.empty() && accepts_gzip(request.header_list("accept-encoding"));
  const std::string etag =
      quoted_etag(gzip ? std::string(asset.etag).append("-gz") : std::string(asset.etag));
  response.set("ETag", etag);
  const Condition condition = evaluate_conditions(request, {.etag = etag});
  if (condition == Condition::failed) return error_response(412, "");
  if (condition == Condition::unchanged) {
    response.status = 304;
    return response;
  }
  response.set("Content-Type", std::string(asset.content_type));
  if (gzip) response.set("Content-Encoding", "gzip");
  response.body = gzip ? asset.gzip : asset.body;
  return response;
}

const Asset* find(std::string_view path) {
  const auto all = assets();
  const auto asset = std::ranges::lower_bound(all, path, {}, &Asset::path);
  return asset == all.end() || asset->path != path ? nullptr : &*asset;
}

}  // namespace

Response call_page(const Request& request) {
  const Asset* asset = find(request.path == "/" ? "/index.html" : std::string_view(request.path));
  if (!asset || asset->path.starts_with(kStatusPage))
    return error_response(404, "there is nothing at this path");
  Response response = serve(request, *asset);
  response.set("Content-Security-Policy", std::string(kPolicy));
  response.set("Referrer-Policy", "no-referrer");
  if (request.secure)
    response.set("Cross-Origin-Opener-Policy", "same-origin");  // an error in browsers without https
  response.set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self)");
  return response;
}

Response status_page(const Request& request) {
  const std::string_view file =
      request.path == "/" ? std::string_view("/index.html") : std::string_view(request.path);
  const Asset* asset = find(std::string(kStatusPage).append(file));
  if (!asset) return error_response(404, "there is nothing at this path");
  Response response = serve(request, *asset);
  response.set("Content-Security-Policy", std::string(kPolicy));
  response.set("Referrer-Policy", "no-referrer");
  return response;
}

Response socket_io_client(const Request& request) {
  const Asset* asset = find(request.path);
  if (!asset)
    return error_response(404,
                          "this build does not have socket.io-client, which tools/run downloads from npm");
  return serve(request, *asset);
}

}  // namespace turnpike::http
