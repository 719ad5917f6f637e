// What several faults have to do with each other: which keys an error leaves in doubt, and in which order the
// operator reads them.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/error.hpp"
#include "net/certificate.hpp"

namespace turnpike::config {

// What is uncertain after some errors. A check of such a key would report consequences of those errors.
class Doubts {
 public:
  explicit Doubts(const Errors& errors) : errors_(errors) {}

  // Whether no error is about this key, about what it is in, or about what is in it.
  bool is_sound(std::string_view path) const;
  // Whether it is known if the document has this key. Its value may be wrong.
  bool has_known_presence(std::string_view path) const;

 private:
  Errors errors_;
};

// Sorts errors by their lines, and keeps each error once. Those without a line come first.
void sort_by_line(Errors& errors);
// Replaces the errors beyond a limit by one that says how many they are.
void shorten(Errors& errors, const std::string& file);

// Takes steps that throw when a key cannot be used. A step that fails does not keep the next ones from being
// taken.
class Attempts {
 public:
  explicit Attempts(const Places& places) : places_(places) {}

  template <class Step>
  void take(Step&& step) {
    try {
      step();
    } catch (const net::UnusableCertificates& unusable) {
      for (const std::string& fault : unusable.faults()) add(fault);
    } catch (const std::exception& error) {
      add(error.what());
    }
  }

  // What the steps have thrown, by line. Error::where is empty where the file does not have the key.
  Errors errors() const;

 private:
  void add(std::string fault);

  const Places& places_;
  Errors errors_;
};

// try_out.cpp: the steps that find_faults() takes.
void try_users(const Config& config, Attempts& attempts, std::vector<std::string>& warnings);
void try_certificates(const Config& config, Attempts& attempts, std::vector<std::string>& warnings);
// Only loads the certificates that could be read from the configuration. This is for a configuration where
// some keys of `tls` have an error, so that they are not in the Config.
void try_other_certificates(const Config& config, Attempts& attempts);

}  // namespace turnpike::config
