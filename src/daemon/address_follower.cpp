#include "daemon/address_follower.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace turnpike::daemon {
namespace {

// One change causes several messages, and a machine that runs containers has many changes. So the addresses
// are read after this pause.
constexpr std::chrono::milliseconds kSettling{200};

void add(std::string& text, const std::string& part) { text += (text.empty() ? "" : ", ") + part; }

std::string to_string(const IpAddress& address) { return address.to_string(); }

template <class Value>
void add_missing(const std::vector<Value>& from, const std::vector<Value>& in, const char* what,
                 std::string& text) {
  std::vector<Value> missing;
  std::ranges::set_difference(from, in, std::back_inserter(missing));
  for (const Value& value : missing) add(text, to_string(value) + ' ' + what);
}

void add_source(const char* family, const std::optional<IpAddress>& before,
                const std::optional<IpAddress>& now, std::string& text) {
  if (before == now) return;
  add(text,
      std::string("the default route of ") + family + " is " + (now ? "from " + now->to_string() : "gone"));
}

std::string describe(const net::LocalAddresses& before, const net::LocalAddresses& now) {
  std::string text;
  add_missing(now.all, before.all, "is new", text);
  add_missing(before.all, now.all, "is gone", text);
  add_missing(now.networks, before.networks, "is a new network", text);
  add_missing(before.networks, now.networks, "is a network no more", text);
  add_source("IPv4", before.default_v4, now.default_v4, text);
  add_source("IPv6", before.default_v6, now.default_v6, text);
  return text;
}

}  // namespace

AddressFollower::AddressFollower(boost::asio::io_context& control, net::AddressWatch& watch,
                                 net::LocalAddresses known, OnChange on_change)
    : watch_(watch),
      known_(std::move(known)),
      on_change_(std::move(on_change)),
      descriptor_(control, watch.fd()),
      timer_(control) {
  wait();
}

AddressFollower::~AddressFollower() { descriptor_.release(); }

void AddressFollower::stop() {
  stopped_ = true;
  descriptor_.cancel();
  timer_.cancel();
}

void AddressFollower::wait() {
  descriptor_.async_wait(descriptor_.wait_read, [this](const boost::system::error_code& error) {
    if (!error && !stopped_) check_soon();
  });
}

void AddressFollower::check_soon() {
  timer_.expires_after(kSettling);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    watch_.drain();
    if (check()) {
      wait();
    } else {
      check_soon();
    }
  });
}

// Returns false when the addresses could not be read, because there were no descriptors or no memory.
bool AddressFollower::check() try {
  const std::optional<net::LocalAddresses> now = read();
  if (!now) return false;
  if (*now == known_) return true;
  on_change_(*now);
  const net::LocalAddresses before = std::exchange(known_, *now);
  spdlog::info(fmt::format("addresses: {}", describe(before, known_)));
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

std::optional<net::LocalAddresses> AddressFollower::read() {
  try {
    net::LocalAddresses now = net::local_addresses();
    failed_ = false;
    return now;
  } catch (const std::system_error& error) {
    if (!std::exchange(failed_, true))
      spdlog::error(fmt::format(
          "the addresses of this machine cannot be read; turnpike tries again until it can read them: {}",
          error.what()));
    return std::nullopt;
  }
}

}  // namespace turnpike::daemon
