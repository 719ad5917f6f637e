#include "admin/unix_listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

namespace turnpike::admin {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using Error = boost::system::error_code;
using Socket = asio::basic_stream_socket<stream_protocol, net::Executor>;

constexpr std::chrono::milliseconds kOutOfDescriptors{100};
constexpr mode_t kMode = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw std::runtime_error("admin.listen: cannot listen on unix:" + path + ": " + why);
}

// Removes the socket file of a process that was killed. It never removes anything else.
void remove_abandoned(asio::io_context& io, const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_socket(status)) fail(path, "there is something else at this path");
  Socket probe(io);
  Error answer;
  probe.connect(stream_protocol::endpoint(path), answer);
  if (answer != asio::error::connection_refused) fail(path, "another process listens there");
  std::filesystem::remove(path, error);
}

}  // namespace

UnixListener::UnixListener(asio::io_context& io, const std::string& path, Accepted accepted)
    : path_(path), acceptor_(io), pause_(io), accepted_(std::move(accepted)) {
  remove_abandoned(io, path);
  Error error;
  acceptor_.open(stream_protocol(), error);
  const mode_t mask = umask(S_IRWXO | S_IXUSR | S_IXGRP);
  if (!error) acceptor_.bind(stream_protocol::endpoint(path), error);
  umask(mask);
  if (!error && chmod(path.c_str(), kMode) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) fail(path, error.message());
}

UnixListener::~UnixListener() { ::unlink(path_.c_str()); }

void UnixListener::accept() {
  acceptor_.async_accept([this](const Error& error, Socket socket) {
    if (stopping_) return;
    if (error) {
      // Most likely there is no free descriptor. Without a pause, this would be a busy loop.
      pause_.expires_after(kOutOfDescriptors);
      pause_.async_wait([this](const Error& stopped) {
        if (!stopped) accept();
      });
      return;
    }
    Error ignored;
    accepted_(net::Fd(socket.release(ignored)));
    accept();
  });
}

void UnixListener::stop() {
  stopping_ = true;
  Error ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace turnpike::admin
