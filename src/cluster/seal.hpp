// What nodes write into Redis is signed, since others may write there too: other tenants, and nodes with
// another secret. Keys for everything that nodes have in common follow from the cluster's secret.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/crypto/digest.hpp"

namespace turnpike::cluster {

// A key of 32 octets that follows from the secret and from what the key is for (RFC 5869: HKDF with SHA-256,
// no salt). Throws std::bad_alloc alone.
crypto::Sha256 derive_key(std::string_view secret, std::string_view purpose);

// The secret by which time-limited credentials are made and checked on all nodes.
std::string credential_secret(std::string_view secret);

// Belongs to one thread.
class Seal {
 public:
  // At least one secret; see Params.
  explicit Seal(const std::vector<std::string>& secrets);

  // `place` is the key or the channel that the text is written to: what was signed for one is worth nothing
  // at another.
  std::string seal(std::string_view place, std::string_view text);
  // The text, which views `sealed`; nothing where none of the secrets has signed it for this place.
  std::optional<std::string_view> open(std::string_view place, std::string_view sealed);

 private:
  std::string code(std::size_t key, std::string_view place, std::string_view text);

  crypto::Digester digester_;
  std::vector<crypto::Sha256> keys_;
};

}  // namespace turnpike::cluster
