#include "daemon/web_forwarder.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <memory>
#include <new>

#include "daemon/run_loop.hpp"
#include "http/asio_endpoint.hpp"
#include "http/deadline.hpp"
#include "net/asio_types.hpp"
#include "net/descriptor_reserve.hpp"
#include "net/proxy_header.hpp"
#include "relay/clock.hpp"

namespace turnpike::daemon {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using http::Awaitable;
using http::TcpSocket;
using Error = boost::system::error_code;

constexpr std::size_t kBufferSize = 16 << 10;  // for each direction of a connection
constexpr Duration kBetweenWarnings = std::chrono::minutes(1);

}  // namespace

// A client's connection, and the connection to the web server that was opened for it. Both coroutines own the
// passage; its place becomes free when the last of them has ended.
class WebForwarder::Passage : public std::enable_shared_from_this<WebForwarder::Passage> {
 public:
  Passage(WebForwarder& forwarder, TcpSocket client, const relay::PassedConnection& about)
      : forwarder_(forwarder),
        about_(about),
        client_(std::move(client)),
        web_(client_.get_executor()),
        timer_(client_.get_executor()) {
    forwarder_.add(*this);
  }
  ~Passage() { forwarder_.remove(*this); }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  const relay::PassedConnection& about() const { return about_; }
  void start() { spawn(run()); }
  void close();

 private:
  using Buffer = std::array<char, kBufferSize>;
  // One of the two directions.
  struct Direction {
    TcpSocket& from;
    TcpSocket& to;
    Buffer& buffer;
    Counter& octets;
  };

  Awaitable<bool> connect();
  Awaitable<bool> send_proxy_header();
  Awaitable<void> run();
  Awaitable<void> carry(Direction direction);
  void spawn(Awaitable<void> coroutine);
  void watch();
  Duration patience() const {
    return connected_ ? forwarder_.limits_.web_idle_timeout : forwarder_.limits_.connect_timeout;
  }

  WebForwarder& forwarder_;
  const relay::PassedConnection about_;
  TcpSocket client_;
  TcpSocket web_;
  net::Timer timer_;
  net::Timer::time_point moved_at_ = net::Timer::clock_type::now();  // when octets were last forwarded
  bool connected_ = false;
  bool timed_out_ = false;
  Buffer to_web_;
  Buffer to_client_;
};

// The passage lives as long as one of its coroutines. It is closed when there is no memory for one.
void WebForwarder::Passage::spawn(Awaitable<void> coroutine) {
  asio::co_spawn(client_.get_executor(), std::move(coroutine),
                 [self = shared_from_this()](const std::exception_ptr& failure) {
                   if (failure) self->close();
                 });
}

Awaitable<void> WebForwarder::Passage::run() {
  if (forwarder_.stopping_) co_return;  // nobody would close it
  watch();
  if (!co_await connect()) co_return;
  WebCounters& counters = forwarder_.counters_;
  ++counters.passed;
  if (about_.web.wants_proxy_header && !co_await send_proxy_header()) co_return;
  spawn(carry({web_, client_, to_client_, counters.to_client_bytes}));
  co_await carry({client_, web_, to_web_, counters.to_web_bytes});
}

Awaitable<bool> WebForwarder::Passage::connect() {
  const tcp::endpoint at = http::to_asio(about_.web.at);
  Error error;
  web_.open(at.protocol(), error);
  if (!error && net::is_reserved(web_.native_handle())) error = asio::error::no_descriptors;
  if (!error) std::tie(error) = co_await web_.async_connect(at, net::kAsTuple);
  if (forwarder_.stopping_) co_return false;
  if (error) {
    ++forwarder_.counters_.unreachable;
    forwarder_.warn_unreachable(about_.web.at, timed_out_ ? "no answer in time" : error.message());
    co_return false;
  }
  web_.set_option(tcp::no_delay(true), error);
  client_.set_option(tcp::no_delay(true), error);
  connected_ = true;
  moved_at_ = net::Timer::clock_type::now();
  watch();
  co_return true;
}

Awaitable<bool> WebForwarder::Passage::send_proxy_header() {
  const std::vector<std::uint8_t> header = net::make_proxy_header(about_.client, about_.server);
  const auto [error, sent] = co_await asio::async_write(web_, asio::buffer(header), net::kAsTuple);
  co_return !error;
}

// Nothing is read before the octets that were read have been written, so a slow reader slows down the other
// side.
Awaitable<void> WebForwarder::Passage::carry(Direction direction) {
  while (true) {
    const auto [ended, size] =
        co_await direction.from.async_read_some(asio::buffer(direction.buffer), net::kAsTuple);
    Error error = ended;
    if (error == asio::error::eof) {
      direction.to.shutdown(TcpSocket::shutdown_send, error);  // the other direction may continue
      co_return;
    }
    if (!error) {
      const asio::const_buffer received(direction.buffer.data(), size);
      std::tie(error, std::ignore) = co_await asio::async_write(direction.to, received, net::kAsTuple);
    }
    if (error) co_return close();
    direction.octets += size;
    moved_at_ = net::Timer::clock_type::now();
  }
}

// Both directions then get an error, and end.
void WebForwarder::Passage::close() {
  Error ignored;
  client_.close(ignored);
  web_.close(ignored);
  timer_.cancel();
}

// Forwarded octets do not change the timer. When it expires, this checks whether the connection was really
// idle.
void WebForwarder::Passage::watch() {
  timer_.expires_at(moved_at_ + patience());
  timer_.async_wait([weak = weak_from_this()](const Error& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    if (net::Timer::clock_type::now() < self->moved_at_ + self->patience()) return self->watch();
    self->timed_out_ = true;
    if (self->connected_) ++self->forwarder_.counters_.timed_out;
    self->close();
  });
}

WebForwarder::WebForwarder(const relay::StreamLimits& limits)
    : limits_(limits), connections_from_(limits.web_per_address) {
  // Asio opens the descriptors by which it waits when something first needs them, and throws when there are
  // none. A timer needs them now, and not the first client.
  const net::Timer first(io_.get_executor());
}

WebForwarder::~WebForwarder() {
  if (thread_.joinable()) stop();
}

void WebForwarder::start() {
  thread_ = std::thread([this] { run_loop(io_); });
}

void WebForwarder::pass(net::Fd connection, const relay::PassedConnection& about) {
  waiting_.hand_over(
      io_, std::move(connection), about,
      [this](net::Fd one, const relay::PassedConnection& whose) { serve(std::move(one), whose); });
}

void WebForwarder::use(const relay::StreamLimits& limits) {
  asio::post(io_, [this, limits] {
    limits_ = limits;
    connections_from_.set_limit(limits.web_per_address);
  });
}

void WebForwarder::ask(std::function<void()> answer) { asio::post(io_, std::move(answer)); }

void WebForwarder::serve(net::Fd connection, const relay::PassedConnection& about) {
  if (stopping_ || !admit(about)) return;
  try {
    TcpSocket client(io_.get_executor());
    Error error;
    client.assign(about.server.address.is_v4() ? tcp::v4() : tcp::v6(), connection.get(), error);
    if (error) return;
    connection.release();
    std::make_shared<Passage>(*this, std::move(client), about)->start();
  } catch (const std::bad_alloc&) {
    ++counters_.refused;
  }
}

bool WebForwarder::admit(const relay::PassedConnection& about) {
  const bool is_full = limits_.web != 0 && passages_.size() >= limits_.web;
  const IpAddress& client = about.client.address;
  if (!is_full && (about.is_exempt || !connections_from_.is_full(client))) return true;
  ++counters_.refused;
  const char* key = is_full ? "limits.web_connections" : "limits.web_connections_per_address";
  if (const auto line = refusals_.line({"connection", key, client}, relay::read_clocks().steady)) {
    line->write(spdlog::level::info);
  }
  return false;
}

void WebForwarder::add(Passage& passage) {
  if (!passage.about().is_exempt) connections_from_.add(passage.about().client.address);
  passages_.insert(&passage);
  count_ = passages_.size();
}

void WebForwarder::remove(Passage& passage) {
  if (!passage.about().is_exempt) connections_from_.release(passage.about().client.address);
  passages_.erase(&passage);
  count_ = passages_.size();
}

// Clients decide how often this happens, so it is logged at most once a minute.
void WebForwarder::warn_unreachable(const Endpoint& web, const std::string& why) {
  const SteadyTime now = relay::read_clocks().steady;
  if (now < quiet_until_) return;
  quiet_until_ = now + kBetweenWarnings;
  spdlog::warn(fmt::format("the web server at {} cannot be reached: {}", web.to_string(), why));
}

WebCounters WebForwarder::counters() const {
  WebCounters all = counters_;
  all.refused += waiting_.dropped();
  return all;
}

void WebForwarder::add_metrics(std::vector<admin::Metric>& metrics) const {
  admin::add_metrics(metrics, counters());
}

void WebForwarder::stop() {
  asio::post(io_, [this] {
    stopping_ = true;
    open_.reset();
    waiting_.close();  // or what workers still pass on would be work without end
    for (Passage* passage : passages_) passage->close();
  });
  thread_.join();
  waiting_.close();  // in case that the thread was cut off before
  spdlog::info(fmt::format("web: {}", describe_counters(counters())));
}

std::string WebForwarder::cut_off() {
  io_.stop();
  return fmt::format("{} connections to web servers", count());
}

}  // namespace turnpike::daemon
