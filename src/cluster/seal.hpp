// Signs what nodes write to Redis, since other programs, and nodes with another secret, can write there too.
// The keys that all nodes need are derived from the secret of the cluster.
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

// Derives the secret for time-limited credentials, which is the same on all nodes.
std::string credential_secret(std::string_view secret);

// A name for a secret. Only those who know the secret can recognise it; it reveals nothing to others.
std::string secret_id(std::string_view secret);

// Belongs to one thread.
class Seal {
 public:
  // At least one secret; see Params.
  explicit Seal(const std::vector<std::string>& secrets);

  // Returns the text with its signature. `place` is the key or channel of Redis that it is written to; the
  // signature is not valid at another place.
  std::string seal(std::string_view place, std::string_view text);
  // Checks the signature and returns the text, which views `sealed`. Nothing when none of the secrets has
  // signed it for this place.
  std::optional<std::string_view> open(std::string_view place, std::string_view sealed);

 private:
  std::string code(std::size_t key, std::string_view place, std::string_view text);

  crypto::Digester digester_;
  std::vector<crypto::Sha256> keys_;
};

}  // namespace turnpike::cluster
