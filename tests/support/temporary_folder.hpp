// A folder for the files of a test, which is removed with this object.
#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace turnpike::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    if (!mkdtemp(path_.data())) throw std::system_error(errno, std::generic_category(), path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }
  // Writes a file of this name. Returns its path. Throws std::system_error.
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = *this / name;
    std::ofstream file(path, std::ios::binary);
    if (!(file << text).flush()) throw std::system_error(errno, std::generic_category(), path);
    return path;
  }

 private:
  std::string path_ = "/tmp/turnpike-test-XXXXXX";
};

}  // namespace turnpike::test
