#include "http/static_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "http/conditional.hpp"

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
    Type{".svg", "image/svg+xml"},
    Type{".png", "image/png"},
    Type{".jpg", "image/jpeg"},
    Type{".jpeg", "image/jpeg"},
    Type{".gif", "image/gif"},
    Type{".webp", "image/webp"},
    Type{".ico", "image/x-icon"},
    Type{".mp3", "audio/mpeg"},
    Type{".mp4", "video/mp4"},
    Type{".webm", "video/webm"},
    Type{".wasm", "application/wasm"},
    Type{".woff2", "font/woff2"},
    Type{".txt", "text/plain; charset=utf-8"},
    Type{".webmanifest", "application/manifest+json"},
};

std::string_view type_of(std::string_view path) {
  for (const Type& type : kTypes) {
    if (path.ends_with(type.ending)) return type.content_type;
  }
  return "application/octet-stream";
}

Response missing() { return error_response(404, "nothing is at this path"); }

}  // namespace

StaticFiles::StaticFiles(const std::string& folder)
    : folder_(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!folder_) {
    throw std::runtime_error("signaling.root: " + folder + ": " + std::generic_category().message(errno));
  }
}

net::Fd StaticFiles::open(const std::string& path) const {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;  // a FIFO must not hold up the thread
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return net::Fd(static_cast<int>(syscall(SYS_openat2, folder_.get(), path.c_str(), &how, sizeof how)));
}

Response StaticFiles::serve(const Request& request) const {
  // Names that start with a dot are not meant for visitors.
  if (!request.path.starts_with('/') || request.path.find("/.") != std::string::npos) return missing();
  std::string path = request.path.substr(1);
  if (path.empty() || path.ends_with('/')) path += "index.html";

  FileBody body{.file = open(path)};
  struct stat status {};
  if (!body.file || fstat(body.file.get(), &status) != 0) return missing();
  if (S_ISDIR(status.st_mode)) {  // so that what its index.html names relative to itself is found
    Response response = error_response(301, "");
    response.set("Location", request.path + '/');
    return response;
  }
  if (!S_ISREG(status.st_mode)) return missing();
  body.size = static_cast<std::uint64_t>(status.st_size);

  Response response;
  const std::string etag =
      quoted_etag(std::to_string(status.st_mtim.tv_sec) + '-' + std::to_string(status.st_mtim.tv_nsec) + '-' +
                  std::to_string(body.size));
  response.set("ETag", etag);
  response.set("Cache-Control", "no-cache");
  if (is_unchanged(request, etag)) {
    response.status = 304;
    return response;
  }
  response.set("Content-Type", std::string(type_of(path)));
  response.body = std::move(body);
  return response;
}

}  // namespace turnpike::http
