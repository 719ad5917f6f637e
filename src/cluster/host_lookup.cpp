#include "cluster/host_lookup.hpp"

#include <netdb.h>
#include <netinet/in.h>

#include <boost/asio/post.hpp>
#include <exception>
#include <thread>
#include <utility>

namespace turnpike::cluster {

void HostLookup::start(const std::string& host, std::uint16_t port) {
  std::thread([self = shared_from_this(), host, service = std::to_string(port)] {
    try {
      self->look_up(host, service);
    } catch (const std::exception& error) {
      self->finish(error.what(), {});
    }
  }).detach();
}

void HostLookup::abandon() {
  const std::lock_guard lock(mutex_);
  done_ = nullptr;
}

Addresses HostLookup::take(std::string& why) {
  const std::lock_guard lock(mutex_);
  why = why_;
  return std::move(addresses_);
}

void HostLookup::look_up(const std::string& host, const std::string& port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &wanted, &found); error != 0)
    return finish(gai_strerror(error), {});
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* one = found; one; one = one->ai_next)
    addresses.emplace_back(one->ai_addr, one->ai_addrlen, IPPROTO_TCP);
  finish({}, std::move(addresses));
}

void HostLookup::finish(std::string why, Addresses addresses) {
  const std::lock_guard lock(mutex_);
  why_ = std::move(why);
  addresses_ = std::move(addresses);
  if (!done_) return;
  boost::asio::post(done_->get_executor(), [self = shared_from_this()] {
    const std::lock_guard locked(self->mutex_);
    if (self->done_) self->done_->cancel();
  });
}

}  // namespace turnpike::cluster
