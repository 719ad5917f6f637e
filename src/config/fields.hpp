// One reader for each kind of value. A reader either stores what the value says or reports what it expected
// instead.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/value.hpp"

namespace turnpike::config {

// fields.cpp: values of one line
void read_realm(const Value& value, std::string& out);
void read_workers(const Value& value, unsigned& out);
void read_count(const Value& value, std::uint32_t& out);
// Whole seconds, from `shortest` to a day.
void read_lifetime(const Value& value, std::chrono::seconds shortest, Duration& out);
void read_level(const Value& value, LogLevel& out);
void read_format(const Value& value, LogFormat& out);

// listen.cpp
void read_listeners(const Value& value, std::vector<Listener>& out);

// relay.cpp
void read_relay_addresses(const Value& value, std::vector<IpAddress>& out);
void read_advertise(const Value& value, std::map<IpAddress, IpAddress>& out);
void read_ports(const Value& value, turn::RelayParams& out);
// Entries of `advertise` that no relayed address will ever use.
void check_advertise(const Value& advertise, const turn::RelayParams& relay);

// auth.cpp
void read_users(const Value& value, std::vector<auth::UserParams>& out);
void read_secrets(const Value& value, std::vector<std::string>& out);

// peers.cpp
void read_allow(const Value& value, std::vector<turn::Prefix>& out);
void read_deny(const Value& value, std::vector<turn::Prefix>& out);
// Prefixes of `deny` that are allowed as well.
void check_deny(const Value& deny, const turn::PeerParams& peers);

}  // namespace turnpike::config
