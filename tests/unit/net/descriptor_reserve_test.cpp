#include "net/descriptor_reserve.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <vector>

#include "net/interfaces.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"
#include "support/tls_probe.hpp"

namespace turnpike::net {
namespace {

constexpr int kLimit = 256;
constexpr int kKept = 16;
constexpr int kFirstKept = kLimit - kKept;
const Endpoint kAnyPort{IpAddress::v4(0x7F000001), 0};

// A small limit, and a part of it that is kept. Both end with this object.
class Reserve {
 public:
  explicit Reserve(int count = kKept) {
    getrlimit(RLIMIT_NOFILE, &before_);
    set_limit(kLimit);
    is_kept_ = reserve_descriptors(static_cast<unsigned>(count));
  }
  ~Reserve() {
    reserve_descriptors(0);
    set_limit(before_.rlim_cur);
  }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  bool is_kept() const { return is_kept_; }
  void set_limit(rlim_t count) const {
    const rlimit limit{count, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }

 private:
  rlimit before_{};
  bool is_kept_ = false;
};

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

// Takes every descriptor below the reserve.
std::vector<Fd> take_all_others() {
  std::vector<Fd> taken;
  while (taken.empty() || taken.back().get() < kFirstKept - 1) {
    taken.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(taken.back());
  }
  return taken;
}

TEST_CASE("only the last descriptors below the limit are of the reserve", "[descriptor_reserve]") {
  const Reserve reserve;
  CHECK(reserve.is_kept());
  CHECK_FALSE(is_reserved(kFirstKept - 1));
  CHECK(is_reserved(kFirstKept));
  CHECK(is_reserved(kLimit - 1));
  errno = EAGAIN;
  CHECK_FALSE(is_reserved(-1));
  CHECK(errno == EAGAIN);
}

TEST_CASE("without a reserve strangers may have every descriptor", "[descriptor_reserve]") {
  const Reserve none(0);
  CHECK(none.is_kept());
  CHECK_FALSE(is_reserved(kLimit - 1));
}

TEST_CASE("at most a quarter of the limit is kept, and the limit may change", "[descriptor_reserve]") {
  {
    const Reserve large(kLimit / 4);
    CHECK(large.is_kept());
    CHECK(is_reserved(kLimit - 1));
  }
  const Reserve reserve(kLimit / 4 + 1);
  CHECK_FALSE(reserve.is_kept());
  CHECK_FALSE(is_reserved(kLimit - 1));
  reserve.set_limit(kLimit + 4);
  CHECK(is_reserved(kLimit - 1));
}

TEST_CASE("a stranger's descriptor of the reserve is closed at once", "[descriptor_reserve]") {
  const Fd original(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Reserve reserve;
  const Fd last(unless_reserved(Fd(fcntl(original.get(), F_DUPFD_CLOEXEC, kFirstKept - 1))));
  CHECK(last.get() == kFirstKept - 1);
  Fd first_kept(fcntl(original.get(), F_DUPFD_CLOEXEC, kFirstKept));
  REQUIRE(first_kept.get() == kFirstKept);
  errno = 0;
  CHECK_FALSE(unless_reserved(std::move(first_kept)));
  CHECK(errno == EMFILE);
  CHECK_FALSE(is_open(kFirstKept));
  errno = EAGAIN;
  CHECK_FALSE(unless_reserved(Fd()));
  CHECK(errno == EAGAIN);
}

TEST_CASE("strangers get no descriptor of the reserve, and the operator does", "[descriptor_reserve]") {
  const Fd listener = open_tcp_listener(kAnyPort);
  const Endpoint at = connection_endpoint(listener.get()).value();
  const Result<Fd> tcp_relay = open_tcp_relay(kAnyPort);
  const Result<Fd> udp_relay = open_udp_relay(kAnyPort);
  REQUIRE(tcp_relay.has_value());
  REQUIRE(udp_relay.has_value());
  const Endpoint from = connection_endpoint(tcp_relay->get()).value();
  const Fd client = test::connect_to(at);
  const Fd next_client = test::connect_to(at);
  const Reserve reserve;
  std::vector<Fd> taken = take_all_others();

  errno = 0;
  CHECK_FALSE(accept_tcp(listener.get()).has_value());
  CHECK(errno == EMFILE);
  CHECK(test::read_all(client.get()).empty());
  const auto is_refused = [](const Result<Fd>& opened) {
    return !opened && opened.error().value() == EMFILE && is_exhaustion(opened.error().value());
  };
  CHECK(is_refused(open_udp_relay(kAnyPort)));
  CHECK(is_refused(open_second_udp_relay(udp_relay->get(), local_endpoint(udp_relay->get()), 0)));
  CHECK(is_refused(open_tcp_relay(kAnyPort)));
  CHECK(is_refused(connect_tcp(from, at)));
  CHECK_FALSE(is_open(kFirstKept));
  // A reload asks this.
  CHECK(is_local_address(kAnyPort.address));
  CHECK_FALSE(is_local_address(*IpAddress::parse("192.0.2.77")));

  taken.pop_back();
  CHECK(open_udp_relay(kAnyPort).has_value());
  CHECK(accept_tcp(listener.get()).has_value());
}

}  // namespace
}  // namespace turnpike::net
