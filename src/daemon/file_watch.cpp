#include "daemon/file_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

namespace turnpike::daemon {
namespace {

namespace fs = std::filesystem;

// A renewal writes two files, one after the other: both should be there when they are read.
constexpr std::chrono::milliseconds kPauseBeforeReading{500};

int open_inotify() {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "inotify_init1");
  return fd;
}

}  // namespace

FileWatch::FileWatch(boost::asio::io_context& io, std::function<void()> changed)
    : events_(io, open_inotify()), quiet_(io), changed_(std::move(changed)) {
  wait();
}

void FileWatch::watch(const std::vector<std::string>& files) {
  for (const int watch : watches_) inotify_rm_watch(events_.native_handle(), watch);
  watches_.clear();
  names_.clear();
  std::set<fs::path> folders;
  for (const std::string& file : files) {
    // The link and what it leads to: certbot moves the link, others write the file behind it.
    std::error_code error;
    for (const fs::path& path : {fs::absolute(file, error), fs::canonical(file, error)}) {
      if (path.empty()) continue;
      folders.insert(path.parent_path());
      names_.push_back(path.filename());
    }
  }
  for (const fs::path& folder : folders) {
    const int watch = inotify_add_watch(events_.native_handle(), folder.c_str(),
                                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
    if (watch >= 0) watches_.push_back(watch);
  }
}

void FileWatch::wait() {
  events_.async_wait(
      boost::asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
        if (error || stopped_) return;
        alignas(inotify_event) std::array<char, 4096> buffer;
        bool is_ours = false;
        for (ssize_t size; (size = read(events_.native_handle(), buffer.data(), buffer.size())) > 0;) {
          for (ssize_t at = 0; at < size;) {
            inotify_event event;
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* const name = buffer.data() + at + sizeof event;
            is_ours = is_ours || (event.mask & IN_Q_OVERFLOW) != 0 ||
                      (event.len > 0 && std::ranges::find(names_, std::string_view(name)) != names_.end());
            at += static_cast<ssize_t>(sizeof event + event.len);
          }
        }
        if (is_ours) {
          quiet_.expires_after(kPauseBeforeReading);
          quiet_.async_wait([this](const boost::system::error_code& again) {
            if (!again && !stopped_) changed_();
          });
        }
        wait();
      });
}

void FileWatch::stop() {
  stopped_ = true;
  events_.cancel();
  quiet_.cancel();
}

}  // namespace turnpike::daemon
