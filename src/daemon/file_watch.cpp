#include "daemon/file_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string_view>
#include <system_error>
#include <utility>

namespace turnpike::daemon {
namespace {

namespace fs = std::filesystem;

// Linux follows at most this many symbolic links in one path (path_resolution(7)).
constexpr int kMaxLinks = 40;
// A user may have at least 8,192 watches for all programs, and this is half of them.
constexpr std::size_t kMaxWatches = 4096;

constexpr std::uint32_t kInFolder =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_ONLYDIR | IN_MASK_ADD;
constexpr std::uint32_t kOfItself =
    IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_DONT_FOLLOW | IN_MASK_ADD;

int open_inotify() {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "inotify_init1");
  return fd;
}

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& io, std::function<void()> changed,
                     std::chrono::milliseconds pause)
    : events_(io, open_inotify()), quiet_(io), pause_(pause), changed_(std::move(changed)) {
  wait();
}

void FileWatch::watch(std::vector<std::string> files) {
  files_ = std::move(files);
  arm();
}

// Existing watches are kept, so that no event is lost.
void FileWatch::arm() {
  misses_some_ = false;
  Watches watches;
  for (const std::string& file : files_) follow(file, watches);
  for (const auto& [watch, names] : watches_) {
    if (!watches.contains(watch)) inotify_rm_watch(events_.native_handle(), watch);
  }
  watches_ = std::move(watches);
  is_armed_ = true;
}

// Resolves the path as the kernel does, and watches each folder before it looks into it. When the path ends
// early, an event in one of these folders will report that it continues.
void FileWatch::follow(const std::string& file, Watches& watches) {
  std::error_code error;
  const fs::path whole = fs::absolute(file, error);
  std::deque<std::string> rest(whole.begin(), whole.end());
  fs::path folder;
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "/" || name == "..") {
      folder = name == "/" ? fs::path(name) : folder.parent_path();
      continue;
    }
    if (!follow(folder, name, rest.empty(), watches)) misses_some_ = true;
    const fs::path at = folder / name;
    const fs::file_status status = fs::symlink_status(at, error);
    if (fs::is_symlink(status)) {
      const fs::path target = fs::read_symlink(at, error);
      if (++links > kMaxLinks) return;
      rest.insert(rest.begin(), target.begin(), target.end());
    } else if (fs::exists(status)) {
      folder = at;
    } else {
      return;
    }
  }
}

// Watches one step of the path. Returns whether all changes of this name will be noticed.
bool FileWatch::follow(const fs::path& folder, const std::string& name, bool is_last, Watches& watches) {
  const int in_folder = add(folder, kInFolder, watches);
  const int error = errno;
  if (in_folder >= 0) watches[in_folder].insert(name);
  // A folder that may be searched but not read cannot be watched, but its entries can. And a file that is
  // itself a mount point, as in containers, is not changed through its folder.
  if (in_folder >= 0 && !is_last) return true;
  const int itself = add(folder / name, kOfItself, watches);
  if (itself >= 0) watches[itself];
  return in_folder >= 0 || itself >= 0 || error == ENOENT || error == ENOTDIR;
}

int FileWatch::add(const fs::path& path, std::uint32_t mask, const Watches& watches) {
  if (watches.size() < kMaxWatches) return inotify_add_watch(events_.native_handle(), path.c_str(), mask);
  errno = ENOSPC;
  return -1;
}

// Returns whether one of the events concerns a file or a part of its path.
bool FileWatch::read_events() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  bool is_ours = false;
  for (ssize_t size; (size = read(events_.native_handle(), buffer.data(), buffer.size())) > 0;) {
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string_view name = event.len > 0 ? buffer.data() + at + sizeof event : "";
      const auto watch = watches_.find(event.wd);
      is_ours = is_ours || (event.mask & IN_Q_OVERFLOW) != 0 ||
                (watch != watches_.end() && (name.empty() || watch->second.contains(name)));
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  return is_ours;
}

void FileWatch::wait() {
  events_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [this](const boost::system::error_code& error) {
                       if (error || stopped_) return;
                       wait();  // this comes before the rest, which may throw std::bad_alloc
                       if (!read_events()) return;
                       quiet_.expires_after(pause_);
                       quiet_.async_wait([this](const boost::system::error_code& again) {
                         if (again || stopped_) return;
                         if (!is_armed_) arm();
                         changed_();
                       });
                       is_armed_ = false;
                       arm();
                     });
}

void FileWatch::stop() {
  stopped_ = true;
  events_.cancel();
  quiet_.cancel();
}

}  // namespace turnpike::daemon
