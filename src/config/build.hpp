// Keys of the configuration format that this build does not implement yet. When one is implemented, remove it
// here and add it to keys.cpp.
#pragma once

#include <string_view>

namespace turnpike::config {

inline constexpr std::string_view kAbsentKeys[] = {"auth.database"};

}  // namespace turnpike::config
