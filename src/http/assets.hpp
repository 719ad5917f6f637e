// The files of the call page, which are compiled into the program. tools/dev/embed_assets.py generates the
// source from src/web.
#pragma once

#include <span>
#include <string_view>

namespace turnpike::http {

struct Asset {
  std::string_view path;  // "/app/main.mjs"
  std::string_view content_type;
  std::string_view etag;  // without quotes; changes with the content
  std::string_view body;
  std::string_view gzip;  // the compressed body; empty when compression saves nothing
};

// All files, sorted by path.
std::span<const Asset> assets();

}  // namespace turnpike::http
