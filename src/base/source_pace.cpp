#include "turnpike/base/source_pace.hpp"

#include <algorithm>

#include "turnpike/base/prefix.hpp"

namespace turnpike {
namespace {

constexpr std::size_t kSets = 1024;  // 4,096 sources in all
constexpr std::uint64_t kMicro = 1'000'000;
constexpr std::uint64_t kMaxAtOnce = std::uint64_t{1}
                                     << 40;  // units; keeps the product below from overflowing

}  // namespace

SourcePace::SourcePace(std::uint64_t per_second, Duration burst, const HashKey& key)
    : per_second_(0), burst_(burst), hash_(key) {
  set_rate(per_second);
}

void SourcePace::set_rate(std::uint64_t per_second) {
  if (per_second == per_second_) return;
  per_second_ = per_second;
  sets_.assign(per_second == 0 ? 0 : kSets, {});
}

void SourcePace::charge(const IpAddress& source, std::uint64_t cost, SteadyTime now) {
  if (per_second_ == 0) return;
  const std::uint64_t key = hash_(source_block(source)) | 1;
  Set& set = sets_[(key >> 1) % kSets];
  auto account = std::ranges::find(set, key, &Account::source);
  if (account == set.end()) {
    account = std::ranges::min_element(set, {}, &Account::paid_until);
    *account = {key, Time()};
  }
  const Time price(std::min(cost, kMaxAtOnce) * kMicro / per_second_);
  account->paid_until = std::max(account->paid_until, Time(now.time_since_epoch())) + price;
}

Duration SourcePace::rest_time(const IpAddress& source, SteadyTime now) const {
  if (per_second_ == 0) return Duration::zero();
  const std::uint64_t key = hash_(source_block(source)) | 1;
  const Set& set = sets_[(key >> 1) % kSets];
  const auto account = std::ranges::find(set, key, &Account::source);
  if (account == set.end()) return Duration::zero();
  const Time owed = account->paid_until - burst_ - Time(now.time_since_epoch());
  return std::max(std::chrono::ceil<Duration>(owed), Duration::zero());
}

}  // namespace turnpike
