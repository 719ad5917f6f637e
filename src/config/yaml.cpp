#include "config/yaml.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace turnpike::config {
namespace {

// Builds the tree from the parser's events. `open_` holds the lists and maps that have not ended yet.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Locate& locate) : locate_(locate) {}

  YamlNode take_root() { return std::move(root_); }
  // The line of the last value, key or list that was complete or began, from 1.
  int last_line() const { return last_line_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw YAML::ParserException(mark, "a second document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { place(make(YamlNode::Kind::null, mark)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases are not supported");
  }

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    throw YAML::ParserException(mark, "anchors are not supported");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    refuse_tag(mark, tag);
    YamlNode scalar = make(YamlNode::Kind::scalar, mark);
    scalar.text = text;
    scalar.quoted = tag == kQuotedTag;
    place(std::move(scalar));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open_.push_back(make(YamlNode::Kind::list, mark));
  }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open_.push_back(make(YamlNode::Kind::map, mark));
  }

  void OnSequenceEnd() override { close(); }

  void OnMapEnd() override {
    pair_up(open_.back());
    close();
  }

 private:
  // The tags that yaml-cpp reports for values without a tag.
  static constexpr std::string_view kPlainTag = "?";
  static constexpr std::string_view kQuotedTag = "!";

  static void refuse_tag(const YAML::Mark& mark, std::string_view tag) {
    if (!tag.empty() && tag != kPlainTag && tag != kQuotedTag) {
      throw YAML::ParserException(mark, "tags are not supported");
    }
  }

  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
    last_line_ = mark.line + 1;
    YamlNode node;
    node.kind = kind;
    node.where = locate_(mark.line + 1);
    return node;
  }

  void place(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  void close() {
    YamlNode closed = std::move(open_.back());
    open_.pop_back();
    place(std::move(closed));
  }

  // A map collects its keys and values alternately. A value gets the line of its key: the operator will look
  // there, and yaml-cpp reports an absent value at the place of the next token.
  static void pair_up(YamlNode& map) {
    for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
      map.items[i + 1].where = map.items[i].where;
      map.entries.push_back({std::move(map.items[i]), std::move(map.items[i + 1])});
    }
    map.items.clear();
  }

  const Locate& locate_;
  YamlNode root_;
  std::vector<YamlNode> open_;
  int documents_ = 0;
  int last_line_ = 1;
};

// Removes the quotation at the end of some messages of yaml-cpp, since it may be part of a secret.
std::string without_quotation(const std::string& message) { return message.substr(0, message.find(':')); }

// yaml-cpp accepts a quoted text that lacks its end if white space is the last of the file, and everything
// below it would be part of that text. Behind a comment at the end it is an error.
std::string with_visible_end(std::string_view text) {
  if (text.ends_with('\n')) return std::string(text) + '#';
  return std::string(text) + (text.ends_with(' ') || text.ends_with('\t') ? "\n#" : "");
}

// Whether a line, which counts from 0, has a tab before its first word.
bool has_tab_in_front(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view indentation = text.substr(0, text.find_first_not_of(" \t"));
  return indentation.find('\t') != std::string_view::npos;
}

std::string explained(const YAML::Exception& error, std::string_view text) {
  std::string message = without_quotation(error.msg);
  if (has_tab_in_front(text, error.mark.line)) return message + ", expected spaces in place of the tab";
  if (message == YAML::ErrorMsg::MAP_VALUE)
    message += ", expected the indentation of the line above, or quotes around a text with a colon";
  return message;
}

}  // namespace

Result<YamlNode, Error> parse_yaml(std::string_view text, const Locate& locate) {
  TreeBuilder builder(locate);
  try {
    std::istringstream stream(with_visible_end(text));
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    if (e.msg == YAML::ErrorMsg::EOF_IN_SCALAR)
      return Error{locate(builder.last_line()), "", "not valid YAML: a quoted text here or below has no end"};
    return Error{locate(e.mark.line + 1), "", "not valid YAML: " + explained(e, text)};
  }
  YamlNode root = builder.take_root();
  if (root.where.empty()) root.where = locate(0);
  return root;
}

}  // namespace turnpike::config
