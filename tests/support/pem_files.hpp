// A new certificate and its key in files, which are removed with this object.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

#include "net/fd.hpp"
#include "support/certificate.hpp"

namespace turnpike::test {

struct PemFiles {
  PemFiles() {
    const Certificate made = make_certificate();
    write(certificate, made.certificate);
    write(private_key, made.private_key);
  }
  ~PemFiles() {
    std::remove(certificate.c_str());
    std::remove(private_key.c_str());
  }
  PemFiles(const PemFiles&) = delete;
  PemFiles& operator=(const PemFiles&) = delete;

  std::string certificate = "/tmp/turnpike-unit-XXXXXX";
  std::string private_key = "/tmp/turnpike-unit-XXXXXX";

 private:
  static void write(std::string& path, const std::string& text) {
    const net::Fd fd(mkstemp(path.data()));
    REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
};

}  // namespace turnpike::test
