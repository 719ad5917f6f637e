// What the configuration format has and this build does not carry yet. Whoever builds one of these shortens
// the list and adds the key to keys.cpp.
#pragma once

#include <string_view>

namespace turnpike::config {

inline constexpr std::string_view kAbsentKeys[] = {"auth.database"};

}  // namespace turnpike::config
