#include "http/static_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "http/byte_range.hpp"
#include "http/conditional.hpp"
#include "http/date.hpp"
#include "net/descriptor_reserve.hpp"

namespace turnpike::http {
namespace {

struct Type {
  std::string_view ending;
  std::string_view content_type;
};

constexpr std::array kTypes{
    Type{".html", "text/html; charset=utf-8"},
    Type{".htm", "text/html; charset=utf-8"},
    Type{".css", "text/css; charset=utf-8"},
    Type{".js", "text/javascript; charset=utf-8"},
    Type{".mjs", "text/javascript; charset=utf-8"},
    Type{".json", "application/json"},
    Type{".map", "application/json"},
    Type{".xml", "application/xml"},
    Type{".xhtml", "application/xhtml+xml"},
    Type{".pdf", "application/pdf"},
    Type{".csv", "text/csv; charset=utf-8"},
    Type{".md", "text/markdown; charset=utf-8"},
    Type{".vtt", "text/vtt; charset=utf-8"},
    Type{".svg", "image/svg+xml"},
    Type{".png", "image/png"},
    Type{".jpg", "image/jpeg"},
    Type{".jpeg", "image/jpeg"},
    Type{".gif", "image/gif"},
    Type{".webp", "image/webp"},
    Type{".avif", "image/avif"},
    Type{".apng", "image/apng"},
    Type{".bmp", "image/bmp"},
    Type{".ico", "image/x-icon"},
    Type{".mp3", "audio/mpeg"},
    Type{".m4a", "audio/mp4"},
    Type{".wav", "audio/wav"},
    Type{".ogg", "audio/ogg"},
    Type{".oga", "audio/ogg"},
    Type{".opus", "audio/ogg"},
    Type{".aac", "audio/aac"},
    Type{".flac", "audio/flac"},
    Type{".mp4", "video/mp4"},
    Type{".m4v", "video/mp4"},
    Type{".mov", "video/quicktime"},
    Type{".webm", "video/webm"},
    Type{".ogv", "video/ogg"},
    Type{".wasm", "application/wasm"},
    Type{".woff2", "font/woff2"},
    Type{".woff", "font/woff"},
    Type{".ttf", "font/ttf"},
    Type{".otf", "font/otf"},
    Type{".zip", "application/zip"},
    Type{".txt", "text/plain; charset=utf-8"},
    Type{".webmanifest", "application/manifest+json"},
};

// Returns the media type of a file. It ignores case, since cameras write the extension in capitals.
std::string_view type_of(std::string_view path) {
  for (const Type& type : kTypes) {
    const std::size_t length = std::min(type.ending.size(), path.size());
    if (boost::beast::iequals(path.substr(path.size() - length), type.ending)) return type.content_type;
  }
  return "application/octet-stream";
}

// Returns whether a path has a name that begins with a dot. `/.well-known/` at the beginning is allowed (RFC
// 8615 §3).
bool is_hidden(std::string_view path) {
  constexpr std::string_view kWellKnown = "/.well-known/";
  if (path.starts_with(kWellKnown)) path.remove_prefix(kWellKnown.size() - 1);
  return path.find("/.") != std::string_view::npos;
}

// Redirects to the same path with a slash at its end, so that relative links of the index.html work.
Response to_folder(const Request& request) {
  std::string location = request.target;
  location.insert(std::min(location.find('?'), location.size()), "/");
  Response response = error_response(301, "");
  response.set("Location", std::move(location));
  return response;
}

// A file that was changed in this second may change again in the same second, and would then keep its date.
// So it has no date yet.
Version version_of(const struct stat& status) {
  const timespec& modified = status.st_mtim;
  Version version{.etag =
                      quoted_etag(std::to_string(modified.tv_sec) + '-' + std::to_string(modified.tv_nsec) +
                                  '-' + std::to_string(status.st_size))};
  if (modified.tv_sec < std::time(nullptr)) version.modified = modified.tv_sec;
  return version;
}

Response missing() { return error_response(404, "there is nothing at this path"); }

net::Fd open_folder(const std::string& path) {
  return net::Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::string describe_fault(const std::string& folder, int error) {
  return "signaling.root: " + folder + ": " + std::generic_category().message(error);
}

}  // namespace

StaticFiles::StaticFiles(std::string folder, Warn warn) : folder_(std::move(folder)), warn_(std::move(warn)) {
  if (!open_folder(folder_)) throw std::runtime_error(describe_fault(folder_, errno));
}

net::Fd StaticFiles::open(const std::string& path) {
  const net::Fd folder = net::unless_reserved(open_folder(folder_));
  const int error = errno;
  const bool was_lost = std::exchange(is_lost_, !folder);
  if (is_lost_ && !was_lost && warn_) warn_(describe_fault(folder_, error));
  if (is_lost_) return {};
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // O_NONBLOCK: opening a FIFO must not block the thread
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how);
  return net::unless_reserved(net::Fd(static_cast<int>(fd)));
}

Response StaticFiles::serve(const Request& request) {
  if (!request.path.starts_with('/') || is_hidden(request.path)) return missing();
  std::string path = request.path.substr(1);
  if (path.empty() || path.ends_with('/')) path += "index.html";

  FileBody body{.file = open(path)};
  struct stat status {};
  if (!body.file || fstat(body.file.get(), &status) != 0) return missing();
  if (S_ISDIR(status.st_mode)) return to_folder(request);
  if (!S_ISREG(status.st_mode)) return missing();
  const auto size = static_cast<std::uint64_t>(status.st_size);

  Response response;
  const Version version = version_of(status);
  response.set("ETag", version.etag);
  if (version.modified) response.set("Last-Modified", http_date(*version.modified));
  response.set("Cache-Control", "no-cache");
  response.set("Accept-Ranges", "bytes");
  const Condition condition = evaluate_conditions(request, version);
  if (condition == Condition::failed) return error_response(412, "");
  if (condition == Condition::unchanged) {
    response.status = 304;
    return response;
  }
  ByteRange range;
  if (request.method == "GET" && is_same_for_range(request, version)) {  // RFC 9110 §14.2
    range = choose_range(request.header_list("range"), size);
  }
  if (range.kind == ByteRange::Kind::unsatisfiable) {
    Response none = error_response(416, "");
    none.set("Content-Range", "bytes */" + std::to_string(size));
    return none;
  }
  response.set("Content-Type", std::string(type_of(path)));
  body.size = size;
  if (range.kind == ByteRange::Kind::part) {
    response.status = 206;
    response.set("Content-Range", "bytes " + std::to_string(range.start) + '-' +
                                      std::to_string(range.start + range.size - 1) + '/' +
                                      std::to_string(size));
    body.start = range.start;
    body.size = range.size;
  }
  response.body = std::move(body);
  return response;
}

}  // namespace turnpike::http
