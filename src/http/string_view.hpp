// The string types of Boost.Beast and Boost.URL as those of the standard library.
#pragma once

#include <string_view>

namespace turnpike::http {

// Views the characters of any Boost string or string view, for as long as those live.
template <class Text>
std::string_view view(const Text& text) {
  return {text.data(), text.size()};
}

}  // namespace turnpike::http
