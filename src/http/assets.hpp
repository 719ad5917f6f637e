// The files of the call page, which are part of the program. tools/dev/embed_assets.py makes the source out
// of src/web.
#pragma once

#include <span>
#include <string_view>

namespace turnpike::http {

struct Asset {
  std::string_view path;  // "/app/main.mjs"
  std::string_view content_type;
  std::string_view etag;  // changes with the content; without quotes
  std::string_view body;
  std::string_view gzip;  // the same compressed; empty where that saves nothing
};

// In the order of their paths.
std::span<const Asset> assets();

}  // namespace turnpike::http
