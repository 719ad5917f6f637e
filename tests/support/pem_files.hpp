// A new certificate and its key in files, which are removed with this object.
#pragma once

#include <string>

#include "support/certificate.hpp"
#include "support/temporary_folder.hpp"

namespace turnpike::test {

struct PemFiles {
  const Certificate made = make_certificate();
  const TemporaryFolder folder;
  const std::string certificate = folder.write("certificate.pem", made.certificate);
  const std::string private_key = folder.write("key.pem", made.private_key);
};

}  // namespace turnpike::test
