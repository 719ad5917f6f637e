#include "turnpike/turn/responder.hpp"

#include "request.hpp"

namespace turnpike::turn {

using stun::AttributeType;
using stun::Class;
using stun::ErrorCode;
using stun::Method;

Responder::Responder(const ServerParams& params, const Settings& settings, const PeerAccess& access,
                     Counters& counters, Breakdown& breakdown)
    : settings_(settings),
      limiters_(params.limiters),
      access_(access),
      counters_(counters),
      breakdown_(breakdown),
      nonce_key_(params.nonce_key),
      long_term_(digester_, nonce_key_, settings.nonce_lifetime),
      indication_ids_(params.random.below(std::minstd_rand::max())) {}

bool Responder::authenticate(Request& request, const auth::Identity* known, Output& out) {
  auto checked =
      long_term_.check(*settings_.credentials, request.message, request.tuple, request.now.wall, known);
  request.had_valid_nonce = checked || checked.error().had_valid_nonce;
  request.has_expired = !checked && checked.error().has_expired;
  if (checked) {
    request.authenticated = std::move(*checked);
    return true;
  }
  const auth::Refusal& refusal = checked.error();
  const IpAddress& client = request.tuple.client.address;
  if (refusal.is_failure) ++counters_.failures;
  if (refusal.has_expired) ++counters_.expired_credentials;
  if (!refusal.is_failure || settings_.is_exempt(client) ||
      limiters_.failures.take(client, request.now.steady)) {
    reject(request, refusal.code, out);
  } else {
    ++counters_.failures_withheld;
    report_refusal(request, refusal.code, out, false);
  }
  return false;
}

stun::MessageBuilder Responder::begin(const Request& request, Class message_class) {
  const stun::MessageView& message = request.message;
  return {scratch_, {message.method(), message_class}, message.transaction_id(), message.cookie()};
}

bool Responder::take_answer(const Request& request) {
  if (request.had_valid_nonce || proves_address(request.tuple.transport)) return true;
  const bool is_binding = request.message.method() == Method::binding;
  AddressLimiter& limiter = is_binding ? limiters_.bindings : limiters_.unauthenticated;
  const IpAddress& client = request.tuple.client.address;
  if (settings_.is_exempt(client) || limiter.take_unproven(client, request.now.steady)) return true;
  ++(is_binding ? counters_.bindings_withheld : counters_.answers_withheld);
  return false;
}

// auth::Integrity says how an answer is signed. It has a fingerprint if the request had one.
void Responder::finish(const Request& request, stun::MessageBuilder& builder, Output& out,
                       std::optional<ErrorCode> error) {
  if (!take_answer(request)) return;
  const Method method = request.message.method();
  if (error) {
    ++counters_.refusals;
    if (*error == ErrorCode::try_alternate) ++counters_.redirects;
    // An unauthenticated client gets this code for other reasons: its own address is denied, or STUN alone is
    // served.
    if (*error == ErrorCode::forbidden && request.authenticated) ++counters_.peers_denied;
    breakdown_.requests.count(method, *error);
  } else {
    breakdown_.requests.count_success(method);
  }
  if (request.authenticated) {
    const Bytes key = request.sender().key.bytes();
    if (request.authenticated->integrity == auth::Integrity::sha256) {
      builder.add_integrity_sha256(digester_, key);
    } else {
      builder.add_integrity_sha1(digester_, key);
    }
  }
  if (request.message.has_fingerprint()) builder.add_fingerprint();
  if (builder.ok()) out.send_to_client(request.answer_to.value_or(request.tuple), builder.bytes());
}

void Responder::succeed(const Request& request, Output& out) {
  stun::MessageBuilder builder = begin(request, Class::success);
  finish(request, builder, out);
}

void Responder::reject(const Request& request, ErrorCode error, Output& out) {
  stun::MessageBuilder builder = begin(request, Class::error);
  builder.add_error(error);
  const bool challenge = error == ErrorCode::unauthenticated || error == ErrorCode::stale_nonce;
  if (challenge) long_term_.add_challenge(*settings_.credentials, request.tuple, request.now.wall, builder);
  finish(request, builder, out, error);
  report_refusal(request, error, out);
}

void Responder::reject_expired(Request& request, Output& out) {
  ++counters_.expired_credentials;
  request.has_expired = true;
  request.authenticated.reset();
  reject(request, ErrorCode::unauthenticated, out);
}

bool Responder::reject_unknown(const Request& request, stun::KnownHere known, Output& out) {
  const stun::UnknownTypes unknown = stun::unknown_required(request.message, known);
  if (unknown.empty()) return false;
  stun::MessageBuilder builder = begin(request, Class::error);
  builder.add_error(ErrorCode::unknown_attribute).add_unknown_attributes({unknown.data(), unknown.size()});
  finish(request, builder, out, ErrorCode::unknown_attribute);
  report_refusal(request, ErrorCode::unknown_attribute, out);
  return true;
}

void Responder::redirect(const Request& request, const AlternateServer& to, Output& out) {
  stun::MessageBuilder builder = begin(request, Class::error);
  builder.add_error(ErrorCode::try_alternate).add_address(AttributeType::alternate_server, to.endpoint);
  if (!to.domain.empty()) builder.add(AttributeType::alternate_domain, to.domain);
  finish(request, builder, out, ErrorCode::try_alternate);
  report_refusal(request, ErrorCode::try_alternate, out);
}

// The first request of a client is always refused, to give it a nonce; this is not reported.
void Responder::report_refusal(const Request& request, ErrorCode error, Output& out, bool answered) const {
  if (!request.had_valid_nonce) return;
  const auto username = request.find(AttributeType::username);
  out.report(Output::Refusal{
      .tuple = request.tuple,
      .username = std::string(username ? as_text(*username) : ""),
      .method = request.message.method(),
      .error = error,
      .expired = request.has_expired,
      .answered = answered,
      .network = error == ErrorCode::forbidden ? access_.network_that_forbids(request) : std::nullopt,
      .peer = request.peer ? request.peer : access_.refused_peer(request, error)});
}

stun::MessageBuilder Responder::begin_indication(Method method) {
  return {scratch_, {method, Class::indication}, indication_id()};
}

stun::TransactionId Responder::indication_id() {
  stun::TransactionId id;
  for (std::size_t at = 0; at < id.size(); at += 4)
    store_u32(&id[at], static_cast<std::uint32_t>(indication_ids_()));
  return id;
}

}  // namespace turnpike::turn
