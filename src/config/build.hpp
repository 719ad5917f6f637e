// What the configuration format has and this build does not carry yet. Whoever builds one of these shortens
// the list and adds the key to keys.cpp.
#pragma once

#include <string_view>

namespace turnpike::config {

struct AbsentKey {
  std::string_view path;
  std::string_view harmless;  // the one value that asks for nothing and is accepted; empty when there is none
};

inline constexpr AbsentKey kAbsentKeys[] = {
    {"auth.database", ""},
    {"limits.bytes_per_second_per_allocation", "0"},
};

}  // namespace turnpike::config
