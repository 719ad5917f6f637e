#include "net/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "net/context_data.hpp"
#include "net/system_random.hpp"

namespace turnpike::net {
namespace {

SteadyTime monotonic() {
  return SteadyTime(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

TicketKeys::Key make_key() {
  SystemRandom random;
  TicketKeys::Key key;
  random.fill(key.name);
  random.fill(key.cipher);
  random.fill(key.mac);
  return key;
}

void wipe(TicketKeys::Key& key) { OPENSSL_cleanse(&key, sizeof key); }

bool set_mac_key(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

// The return values of the callback in SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
enum Verdict : int { broken = -1, full_handshake = 0, good = 1, good_and_renew = 2 };

Verdict seal(TicketKeys& keys, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
             EVP_MAC_CTX* mac) {
  TicketKeys::Key key = keys.encryption_key();
  std::ranges::copy(key.name, name);
  const EVP_CIPHER* const aes = EVP_aes_256_cbc();
  const bool done = RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) == 1 &&
                    EVP_EncryptInit_ex2(cipher, aes, key.cipher.data(), iv, nullptr) == 1 &&
                    set_mac_key(mac, key);
  wipe(key);
  return done ? good : broken;
}

// With TLS 1.3, a client that does not want to be recognised uses each ticket only once (RFC 8446 §C.4), so
// it gets a new one each time.
Verdict open(TicketKeys& keys, bool is_1_3, const unsigned char* name, const unsigned char* iv,
             EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) {
  std::optional<TicketKeys::Opening> opening = keys.find_decryption_key({name, TicketKeys::kNameSize});
  if (!opening) return full_handshake;
  const bool done =
      set_mac_key(mac, opening->key) &&
      EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), opening->key.cipher.data(), iv, nullptr) == 1;
  wipe(opening->key);
  if (!done) return broken;
  return opening->is_old || is_1_3 ? good_and_renew : good;
}

using SharedKeys = std::shared_ptr<TicketKeys>;

int on_ticket(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              int sealing) {
  TicketKeys& keys = *ContextData<SharedKeys>::of(session);
  return sealing == 1 ? seal(keys, name, iv, cipher, mac)
                      : open(keys, SSL_version(session) == TLS1_3_VERSION, name, iv, cipher, mac);
}

}  // namespace

TicketKeys::TicketKeys() : TicketKeys(monotonic) {}

TicketKeys::TicketKeys(Clock clock, Duration period)
    : clock_(std::move(clock)), period_(period), began_(clock_()), present_(make_key()) {}

TicketKeys::TicketKeys(Derive derive, Clock since_epoch, Duration period)
    : derive_(std::move(derive)),
      clock_(std::move(since_epoch)),
      period_(period),
      number_(clock_().time_since_epoch() / period),
      present_(derive_(number_)),
      previous_(derive_(number_ - 1)) {}

TicketKeys::~TicketKeys() {
  wipe(present_);
  if (previous_) wipe(*previous_);
}

// Rotation happens only when a key is used, so more than one period may have passed. The clock of derived
// keys may be set back, and then they follow it. If they did not, other servers would not know these keys
// until the time that the clock had shown.
void TicketKeys::rotate() {
  const std::int64_t number = (clock_() - began_) / period_;
  if (number == number_) return;
  if (previous_) wipe(*previous_);
  previous_.reset();
  if (derive_) {
    previous_ = derive_(number - 1);
  } else if (number == number_ + 1) {
    previous_ = present_;
  }
  present_ = derive_ ? derive_(number) : make_key();
  number_ = number;
}

TicketKeys::Key TicketKeys::encryption_key() {
  const std::lock_guard lock(mutex_);
  rotate();
  return present_;
}

std::optional<TicketKeys::Opening> TicketKeys::find_decryption_key(Bytes name) {
  const std::lock_guard lock(mutex_);
  rotate();
  if (std::ranges::equal(name, present_.name)) return Opening{present_, false};
  if (previous_ && std::ranges::equal(name, previous_->name)) return Opening{*previous_, true};
  return std::nullopt;
}

void set_ticket_keys(SSL_CTX* context, std::shared_ptr<TicketKeys> keys) {
  ContextData<SharedKeys>::set(context, std::make_unique<SharedKeys>(std::move(keys)));
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

}  // namespace turnpike::net
