// Tells when one of some files has been replaced or written, by inotify(7). It watches the folders that they
// stand in, so that a file that is moved into place is seen like one that is written, and the targets of
// symbolic links as well.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <vector>

#include "daemon/asio_types.hpp"

namespace turnpike::daemon {

class FileWatch {
 public:
  // `changed` is called on the thread of the io_context, some time after the last of several changes. Throws
  // std::system_error where the machine has no inotify left.
  FileWatch(boost::asio::io_context& io, std::function<void()> changed);

  // Watches these files instead of those before.
  void watch(const std::vector<std::string>& files);
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  void wait();

  StreamDescriptor events_;
  Timer quiet_;
  std::function<void()> changed_;
  std::vector<int> watches_;
  std::vector<std::string> names_;
  bool stopped_ = false;
};

}  // namespace turnpike::daemon
