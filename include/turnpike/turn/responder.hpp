// Authenticates requests; builds, signs and limits the answers. All messages that the server itself sends to
// clients are written here; relayed data are not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "turnpike/stun/unknown_attributes.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/server_params.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::turn {

struct Request;

// Belongs to one worker and its thread.
class Responder {
 public:
  // All references outlive this.
  Responder(const ServerParams& params, const Settings& settings, const PeerAccess& access,
            Counters& counters, Breakdown& breakdown);
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  // Call this after the nonce lifetime in the settings has changed.
  void renew_nonces() { long_term_.use_nonces(nonce_key_, settings_.nonce_lifetime); }

  // Finds out who sent the request and how it was signed. Returns false when it has refused and answered the
  // request. `known` is the identity of the allocation that the request probably belongs to; see
  // auth::LongTermCheck::check.
  bool authenticate(Request& request, const auth::Identity* known, Output& out);

  // An answer is built in three steps: begin() writes its header, the caller adds attributes, and finish()
  // signs and sends it, and counts it by its method and `error`. An answer that a limit withholds is neither
  // sent nor counted as one. There is one buffer, so only one answer is built at a time.
  stun::MessageBuilder begin(const Request& request, stun::Class message_class);
  void finish(const Request& request, stun::MessageBuilder& builder, Output& out,
              std::optional<stun::ErrorCode> error = {});

  // A success without attributes.
  void succeed(const Request& request, Output& out);
  // Sends an error response, with a challenge when the error is 401 or 438.
  void reject(const Request& request, stun::ErrorCode error, Output& out);
  // Answers 420 to a request with unknown comprehension-required attributes. Returns true when it did.
  bool reject_unknown(const Request& request, stun::KnownHere known, Output& out);
  // Answers 300: the client shall use this other server (RFC 8489 §10).
  void redirect(const Request& request, const AlternateServer& to, Output& out);
  // Answers 401 to a sender whose credentials were valid and have expired. The answer is not signed.
  void reject_expired(Request& request, Output& out);

  // The same for indications. begin_indication() writes the header; the caller adds the attributes and sends
  // the message.
  stun::MessageBuilder begin_indication(stun::Method method);
  // A transaction id for an indication, which has no answer. It need not be secret, but it is random so that
  // it does not reveal how busy the server is.
  stun::TransactionId indication_id();

  // Whether there are no credentials. The server then answers STUN alone; it is never an open relay.
  bool serves_stun_alone() const { return settings_.credentials->empty(); }
  // Whether clients may use access tokens (RFC 7635).
  bool takes_tokens() const { return settings_.credentials->takes_tokens(); }

 private:
  bool take_answer(const Request& request);
  void report_refusal(const Request& request, stun::ErrorCode error, Output& out, bool answered = true) const;

  const Settings& settings_;
  Limiters& limiters_;
  const PeerAccess& access_;
  Counters& counters_;
  Breakdown& breakdown_;
  const auth::Nonces::MasterKey nonce_key_;
  crypto::Digester digester_;
  auth::LongTermCheck long_term_;
  std::minstd_rand indication_ids_;
  std::array<std::uint8_t, 2048> scratch_{};  // the buffer for answers
};

}  // namespace turnpike::turn
