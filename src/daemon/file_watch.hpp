// Calls a function when a watched file may have changed, by inotify(7): when it was written, moved into
// place, or made readable, or when its owner changed. It watches every folder on the way to a file and to the
// targets of symbolic links on that way, so it also notices when a link is replaced (certbot, Kubernetes'
// `..data`), or when a folder is removed and made again. When a file is missing, it watches the way up to the
// nearest folder that exists. It does not notice when something is mounted over one of these folders.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "net/asio_types.hpp"

namespace turnpike::daemon {

class FileWatch {
 public:
  // The time to wait after a change, since a renewal writes two files one after the other.
  static constexpr std::chrono::milliseconds kPause{500};

  // `changed` is called on the thread of the io_context, `pause` after the last of several changes. Throws
  // std::system_error when the machine has no inotify instance left.
  FileWatch(boost::asio::io_context& io, std::function<void()> changed,
            std::chrono::milliseconds pause = kPause);

  // Watches these files instead of those before. Read them after this call, so that no change is missed.
  void watch(std::vector<std::string> files);
  // Whether some changes will not be noticed: too many folders, or one that this user may not read.
  bool misses_some() const { return misses_some_; }
  std::size_t watches() const { return watches_.size(); }
  // Ends the work of this object in the io_context.
  void stop();

 private:
  // By the number that inotify gives: the names in a folder that matter.
  using Watches = std::map<int, std::set<std::string, std::less<>>>;

  void wait();
  bool read_events();
  void arm();
  void follow(const std::string& file, Watches& watches);
  bool follow(const std::filesystem::path& folder, const std::string& name, bool is_last, Watches& watches);
  int add(const std::filesystem::path& path, std::uint32_t mask, const Watches& watches);

  net::StreamDescriptor events_;
  net::Timer quiet_;
  const std::chrono::milliseconds pause_;
  std::function<void()> changed_;
  std::vector<std::string> files_;
  Watches watches_;
  bool misses_some_ = false;
  bool is_armed_ = false;  // whether all of what leads to the files is watched, as far as it can be
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
