// Reads a JSON object whose members are known. Nodes of a cluster read with it what other nodes have written.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::cluster {

// Parses a JSON text. Nothing when it is not JSON.
inline std::optional<boost::json::value> parse_strict(std::string_view text) {
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) return std::nullopt;
  return value;
}

// Reads the members of an object. When a member is absent or has another type, is_right() becomes false and
// stays false, and the function returns an empty value. The JSON value must outlive the reader.
class JsonReader {
 public:
  explicit JsonReader(const boost::json::value& value) : object_(value.if_object()) {}

  bool is_right() const { return object_ && right_; }
  void require(bool condition) { right_ = right_ && condition; }
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // A text of at most `most` octets.
  std::string text(std::string_view name, std::size_t most) {
    const boost::json::value* value = find(name);
    return text_of(value, most);
  }
  std::uint64_t number(std::string_view name) {
    const boost::json::value* value = find(name);
    boost::system::error_code error;
    const auto number = value && value->is_number() ? value->to_number<std::uint64_t>(error) : 0;
    require(value && value->is_number() && !error);
    return number;
  }
  bool flag(std::string_view name) {
    const boost::json::value* value = find(name);
    require(value && value->is_bool());
    return value && value->is_bool() && value->get_bool();
  }
  // A list of at most `most` elements.
  const boost::json::array& list(std::string_view name, std::size_t most) {
    static const boost::json::array none;
    const boost::json::value* value = find(name);
    const bool is_list = value && value->is_array() && value->get_array().size() <= most;
    require(is_list);
    return is_list ? value->get_array() : none;
  }
  // A list of texts, each of 1 to `longest` octets.
  std::vector<std::string> texts(std::string_view name, std::size_t most, std::size_t longest) {
    std::vector<std::string> out;
    for (const boost::json::value& element : list(name, most)) {
      out.push_back(text_of(&element, longest));
      require(!out.back().empty());
    }
    return out;
  }
  const boost::json::value& any(std::string_view name) {
    static const boost::json::value none;
    const boost::json::value* value = find(name);
    require(value != nullptr);
    return value ? *value : none;
  }

 private:
  const boost::json::value* find(std::string_view name) const {
    return object_ ? object_->if_contains(boost::json::string_view(name.data(), name.size())) : nullptr;
  }
  std::string text_of(const boost::json::value* value, std::size_t most) {
    const boost::json::string* text = value ? value->if_string() : nullptr;
    require(text && text->size() <= most);
    return text && is_right() ? std::string(text->data(), text->size()) : std::string();
  }

  const boost::json::object* object_;
  bool right_ = true;
};

}  // namespace turnpike::cluster
