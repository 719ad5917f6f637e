// The header that Catch2's version 2 has, for Debian releases with version 3. CMake puts this folder in front
// only there, so that every test includes <catch2/catch.hpp> whichever version the machine has.
#pragma once

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

namespace Catch {

// Version 2's names of matchers.
inline Matchers::StringContainsMatcher Contains(
    const std::string& text) {  // NOLINT(readability-identifier-naming)
  return Matchers::ContainsSubstring(text);
}
using Matchers::EndsWith;
using Matchers::StartsWith;

}  // namespace Catch

using Catch::Approx;
