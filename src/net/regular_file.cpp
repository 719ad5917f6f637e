#include "net/regular_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "net/fd.hpp"

namespace turnpike::net {
namespace {

FileProblem unreadable() { return {"cannot be read: " + std::generic_category().message(errno)}; }

// O_NONBLOCK is set because opening a pipe would wait for its writer, and O_NOCTTY because a terminal could
// become this process's controlling terminal.
Result<Fd, FileProblem> open_regular_file(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return unreadable();
  if (!S_ISREG(status.st_mode)) return FileProblem{"is not a regular file"};
  return {boost::system::in_place_value, std::move(file)};
}

}  // namespace

std::optional<FileProblem> find_file_problem(const std::string& path) {
  const auto file = open_regular_file(path);
  return file ? std::nullopt : std::optional(file.error());
}

Result<std::string, FileProblem> read_regular_file(const std::string& path, std::size_t most) {
  const auto file = open_regular_file(path);
  if (!file) return file.error();
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(file->get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable();
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > most) return FileProblem{"is longer than " + std::to_string(most >> 10) + " KiB"};
  text.resize(size);
  return {boost::system::in_place_value, std::move(text)};
}

}  // namespace turnpike::net
