#include "cluster/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <new>
#include <system_error>
#include <utility>

#include "cluster/host_lookup.hpp"
#include "cluster/redis_reply.hpp"
#include "net/asio_types.hpp"

namespace turnpike::cluster {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using Error = boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, net::Executor>;
constexpr std::chrono::seconds kLook{1};  // how often it is checked whether Redis answers
constexpr std::size_t kReadSize = 16 << 10;

void append(std::string& to, const RedisConnection::Command& command) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> sizes;
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* text = nullptr;
  const auto size =
      redisFormatCommandArgv(&text, static_cast<int>(command.size()), arguments.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  to.append(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
}

// The certificate has to be for this host, which may be an address.
void expect_certificate_of(const std::string& host, SSL* connection) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.c_str()) == 1) return;
  SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set_tlsext_host_name(connection, host.c_str());
  if (SSL_set1_host(connection, host.c_str()) != 1) throw std::bad_alloc();
}

// Returns why the handshake failed. OpenSSL's error does not say what is wrong with a certificate.
std::string explain_handshake(const Error& error, SSL* connection) {
  const long verdict = SSL_get_verify_result(connection);
  if (verdict == X509_V_OK) return error.message();
  return std::string("its certificate is refused: ") + X509_verify_cert_error_string(verdict);
}

// Returns why nothing more can be read. A server that ends says no farewell of TLS's.
std::string explain_end(const Error& error) {
  const bool has_closed = error == asio::error::eof || error == ssl::error::stream_truncated;
  return has_closed ? "it closed the connection" : error.message();
}

struct Abandon {
  void operator()(HostLookup* lookup) const { lookup->abandon(); }
};

}  // namespace

// Coroutines and handlers share this object, since they may end after the RedisConnection is destroyed.
struct RedisConnection::State : std::enable_shared_from_this<State> {
  // One attempt, from the opening of the socket to its end.
  struct Attempt : std::enable_shared_from_this<Attempt> {
    explicit Attempt(const net::Executor& executor) : socket(executor), watch(executor), step(executor) {}

    Socket socket;
    std::optional<ssl::stream<Socket&>> tls;
    net::Timer watch;
    net::Timer step;  // for the lookup of the name, and for each of its addresses
    Clock::time_point began = Clock::now();
    ReplyReader replies;
    bool subscribes = false;  // only then a reply may be a message
    std::string waiting;      // to be written next
    std::string being_written;
    struct Unanswered {
      Answer answer;
      Clock::time_point since;
      std::string key;  // that the command is about
    };
    std::deque<Unanswered> unanswered;
    bool ready = false;
    Clock::time_point ready_since{};
    bool ended = false;
    std::string why;
  };

  State(asio::io_context& io, const Params& params, Handlers h)
      : executor(io.get_executor()),
        address(params.redis),
        probe{"UNLINK", params.prefix + ":probe:a", params.prefix + ":probe:b"},
        handlers(std::move(h)),
        pause_timer(executor) {
    if (!address.tls) return;
    tls.set_default_verify_paths();
    tls.set_verify_mode(ssl::verify_peer);
  }

  net::Awaitable<void> run() {
    const auto self = shared_from_this();
    auto pause = kMinPause;
    while (!stopped) {
      const auto attempt = std::make_shared<Attempt>(executor);
      current = attempt;
      watch(attempt);
      co_await serve(attempt);
      attempt->watch.cancel();
      if (attempt->ready && Clock::now() - attempt->ready_since > kMaxPause) pause = kMinPause;
      end(*attempt, "it closed the connection");
      is_up = false;
      for (const Attempt::Unanswered& one : std::exchange(attempt->unanswered, {})) {
        if (one.answer) one.answer(nullptr);
      }
      current.reset();
      if (stopped) co_return;
      handlers.down(attempt->why);
      pause_timer.expires_after(pause);
      co_await pause_timer.async_wait(net::kAsTuple);
      pause = std::min(2 * pause, kMaxPause);
    }
  }

  net::Awaitable<void> serve(std::shared_ptr<Attempt> attempt) {
    if (!co_await connect(*attempt)) co_return;
    introduce(attempt);
    std::string room(kReadSize, '\0');
    while (!attempt->ended) {
      const auto [error, size] =
          attempt->tls ? co_await attempt->tls->async_read_some(asio::buffer(room), net::kAsTuple)
                       : co_await attempt->socket.async_read_some(asio::buffer(room), net::kAsTuple);
      if (error) co_return end(*attempt, explain_end(error));
      read(*attempt, std::string_view(room).substr(0, size));
    }
  }

  net::Awaitable<bool> connect(Attempt& attempt) {
    Error error;
    if (!address.unix_socket.empty()) {
      std::tie(error) = co_await attempt.socket.async_connect(
          asio::local::stream_protocol::endpoint(address.unix_socket), net::kAsTuple);
    } else {
      error = co_await connect_to_one(attempt, co_await look_up(attempt));
      if (attempt.ended) co_return false;
    }
    if (!error && address.tls) {
      attempt.tls.emplace(attempt.socket, tls);
      expect_certificate_of(address.host, attempt.tls->native_handle());
      std::tie(error) = co_await attempt.tls->async_handshake(ssl::stream_base::client, net::kAsTuple);
      if (error) end(attempt, explain_handshake(error, attempt.tls->native_handle()));
    }
    if (error) end(attempt, error.message());
    co_return !error && !attempt.ended;
  }

  // Returns the addresses of the host. When there are none, it ends the attempt.
  net::Awaitable<Addresses> look_up(Attempt& attempt) {
    const auto lookup = std::make_shared<HostLookup>(attempt.step);
    const std::unique_ptr<HostLookup, Abandon> waits(lookup.get());
    attempt.step.expires_at(Clock::time_point::max());
    try {
      lookup->start(address.host, address.port);
    } catch (const std::system_error& error) {
      end(attempt, error.what());
      co_return Addresses();
    }
    co_await attempt.step.async_wait(net::kAsTuple);
    std::string why;
    Addresses addresses = lookup->take(why);
    if (addresses.empty()) end(attempt, why);
    co_return addresses;
  }

  // An address that does not answer gets only a part of the time, so that the next ones can be tried.
  net::Awaitable<Error> connect_to_one(Attempt& attempt, Addresses addresses) {
    Error error;
    const auto patience = Clock::duration(kPatience) / static_cast<int>(addresses.size() + 1);
    for (std::size_t i = 0; i < addresses.size() && !attempt.ended; ++i) {
      Error ignored;
      attempt.socket.close(ignored);
      if (i + 1 < addresses.size()) give_up_after(attempt, patience);
      std::tie(error) = co_await attempt.socket.async_connect(addresses[i], net::kAsTuple);
      attempt.step.expires_at(Clock::time_point::max());
      if (!error && attempt.socket.is_open()) break;
    }
    co_return error;
  }

  void give_up_after(Attempt& attempt, Clock::duration patience) {
    attempt.step.expires_after(patience);
    attempt.step.async_wait([attempt = attempt.shared_from_this()](const Error& error) {
      // The timer may have been set again at the last moment.
      if (error || attempt->step.expiry() > Clock::now()) return;
      Error ignored;
      attempt->socket.close(ignored);
    });
  }

  // The connection is up when Redis has accepted our credentials and takes our commands.
  void introduce(const std::shared_ptr<Attempt>& attempt) {
    // The connection must not be used with another user or another database than the configured ones.
    const auto end_at_error = [this, attempt](const redisReply* reply) {
      if (reply && is_error(*reply)) end(*attempt, error_of(*reply));
    };
    if (!address.user.empty()) {
      queue(*attempt, {"AUTH", address.user, address.password}, end_at_error);
    } else if (!address.password.empty()) {
      queue(*attempt, {"AUTH", address.password}, end_at_error);
    }
    if (address.database != 0) queue(*attempt, {"SELECT", std::to_string(address.database)}, end_at_error);
    queue(*attempt, {"PING"}, end_at_error);
    // An error about the command itself is reported when it is used.
    queue(*attempt, probe, [this, attempt](const redisReply* reply) {
      const auto why = reply && is_error(*reply) ? find_wrong_server(*reply) : std::nullopt;
      if (why) end(*attempt, *why);
      if (!reply || attempt->ended) return;
      attempt->ready = true;
      attempt->ready_since = Clock::now();
      is_up = true;
      if (!too_large.empty()) queue(*attempt, {"UNLINK", std::exchange(too_large, {})}, {});
      handlers.up();
    });
    write(attempt);
  }

  void queue(Attempt& attempt, const Command& command, Answer answer, std::string key = {}) {
    append(attempt.waiting, command);
    attempt.subscribes = attempt.subscribes || command.front() == "SUBSCRIBE";
    if (key.empty() && command.size() > 1) key = command[1];
    attempt.unanswered.push_back({std::move(answer), Clock::now(), std::move(key)});
    if (attempt.waiting.size() > kMaxWaiting) end(attempt, "too many commands wait for its answers");
  }

  void write(const std::shared_ptr<Attempt>& attempt) {
    if (attempt->ended || !attempt->being_written.empty() || attempt->waiting.empty()) return;
    attempt->being_written = std::exchange(attempt->waiting, {});
    const auto written = [self = shared_from_this(), attempt](const Error& error, std::size_t) {
      // Redis may have said why it has closed the connection. So that is still read, and reading ends the
      // attempt.
      if (error) return;
      attempt->being_written.clear();
      self->write(attempt);
    };
    if (attempt->tls) {
      asio::async_write(*attempt->tls, asio::buffer(attempt->being_written), written);
    } else {
      asio::async_write(attempt->socket, asio::buffer(attempt->being_written), written);
    }
  }

  void read(Attempt& attempt, std::string_view octets) {
    attempt.replies.feed(octets);
    while (!attempt.ended) {
      const Reply reply = attempt.replies.next();
      if (!reply) break;
      take(attempt, *reply);
    }
    if (attempt.ended || attempt.replies.fault().empty()) return;
    note_too_large(attempt);
    end(attempt, std::string(attempt.replies.fault()));
  }

  void note_too_large(const Attempt& attempt) {
    if (attempt.ready && !attempt.subscribes && !attempt.unanswered.empty())
      too_large = attempt.unanswered.front().key;
  }

  void take(Attempt& attempt, const redisReply& reply) {
    if (attempt.subscribes && is_message(reply)) {
      const auto channel = text_of(reply.element[1]);
      const auto payload = text_of(reply.element[2]);
      if (channel && payload) handlers.message(*channel, *payload);
      return;
    }
    if (attempt.unanswered.empty()) return end(attempt, "it sent a reply without a command");
    const Answer answer = std::move(attempt.unanswered.front().answer);
    attempt.unanswered.pop_front();
    const redisReply* error = attempt.ready ? find_error(reply) : nullptr;
    const auto why = error ? find_wrong_server(*error) : std::nullopt;
    if (error && !why) handlers.refused(error_of(*error));
    if (answer) answer(&reply);
    if (why) end(attempt, *why);
  }

  void watch(const std::shared_ptr<Attempt>& attempt) {
    attempt->watch.expires_after(kLook);
    attempt->watch.async_wait([self = shared_from_this(), attempt](const Error& error) {
      if (error || attempt->ended) return;
      const Clock::time_point since = attempt->unanswered.empty()
                                          ? (attempt->ready ? Clock::time_point::max() : attempt->began)
                                          : attempt->unanswered.front().since;
      if (since < Clock::now() - kPatience) return self->end(*attempt, "it does not answer");
      self->watch(attempt);
    });
  }

  // Reads and writes in progress then find that the socket is closed.
  void end(Attempt& attempt, std::string why) {
    if (std::exchange(attempt.ended, true)) return;
    attempt.why = std::move(why);
    Error ignored;
    attempt.socket.close(ignored);
    attempt.step.cancel();
  }

  void stop() {
    stopped = true;
    pause_timer.cancel();
    if (current) end(*current, "");
    if (current) current->watch.cancel();
  }

  net::Executor executor;
  RedisAddress address;
  // There is nothing at these keys, and a Redis Cluster has them in different slots, whatever the prefix is:
  // the checksums of two keys that differ in their last octet alone always differ in the same bits.
  Command probe;
  Handlers handlers;
  bool is_up = false;
  std::string too_large;  // the key of a value that is too large; it is deleted after the next connect
  ssl::context tls{ssl::context::tls_client};
  net::Timer pause_timer;
  std::shared_ptr<Attempt> current;
  bool stopped = false;
};

RedisConnection::RedisConnection(asio::io_context& io, const Params& params, Handlers handlers)
    : state_(std::make_shared<State>(io, params, std::move(handlers))) {}

RedisConnection::~RedisConnection() = default;

void RedisConnection::start() { asio::co_spawn(state_->executor, state_->run(), asio::detached); }

void RedisConnection::stop() { state_->stop(); }

void RedisConnection::start_anew(const std::string& why) {
  if (state_->current) state_->end(*state_->current, why);
}

bool RedisConnection::is_up() const { return state_->is_up; }

std::size_t RedisConnection::waiting() const { return state_->current ? state_->current->waiting.size() : 0; }

void RedisConnection::send(const Command& command, Answer answer) {
  if (!state_->is_up) {
    if (answer) answer(nullptr);
    return;
  }
  state_->queue(*state_->current, command, std::move(answer));
  state_->write(state_->current);
}

void RedisConnection::send_together(const std::vector<Command>& commands, Answer answer) {
  if (!state_->is_up) {
    if (answer) answer(nullptr);
    return;
  }
  state_->queue(*state_->current, {"MULTI"}, {});
  for (const Command& command : commands) state_->queue(*state_->current, command, {});
  state_->queue(*state_->current, {"EXEC"}, std::move(answer), commands.front().at(1));
  state_->write(state_->current);
}

}  // namespace turnpike::cluster
