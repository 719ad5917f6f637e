// Users in an SQLite database, so that they can change while the daemon runs. The database has the keys of a
// user (RFC 8489 §9.2.2 and §18.5.1.2) and never a password. Names are prepared with opaque_string() before
// they are stored. What an operator has revoked is kept there as well, so that a restart does not forget it.
//
// An object is opened for one reading or one change, and belongs to one thread. SQLite waits kPatience for
// another process that writes; no thread that relays may do that.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/auth/params.hpp"
#include "turnpike/auth/revocations.hpp"
#include "turnpike/base/time.hpp"

struct sqlite3;

namespace turnpike::users {

// The text names the file and the fault, for the operator.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
// Another process has the database locked. A later attempt may succeed.
class DatabaseBusy : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
};

// What is shown of a user.
struct ListedUser {
  std::string name;
  bool has_md5 = false;
  bool has_sha256 = false;
  std::int64_t changed_at = 0;  // seconds since 1970: when the keys were set
};

struct RealmCount {
  std::string realm;
  std::uint64_t users = 0;
};

class Database {
 public:
  static constexpr std::size_t kMaxUsers = 100'000;  // of one realm
  static constexpr std::size_t kMaxName = 508;       // octets; RFC 8489 §14.3: fewer than 509
  static constexpr std::size_t kMaxListedRealms = 20;
  static constexpr std::chrono::milliseconds kPatience{500};

  // A file that does not exist is a database without users: `read` leaves it so, and `write` makes the file,
  // which its owner can write, its group can read, and nobody else. Each function throws DatabaseError.
  enum class Access : std::uint8_t { read, write };
  Database(const std::string& file, Access access);

  // The users of a realm. A row that cannot be a user is an error, and so are more than kMaxUsers rows.
  std::vector<auth::UserParams> users(std::string_view realm);
  // The first users by name, at most `limit`, whose names come after `after`.
  std::vector<ListedUser> list(std::string_view realm, std::string_view after, std::size_t limit);
  std::uint64_t count(std::string_view realm);
  // The realms that have users, but for this one; the first kMaxListedRealms by name.
  std::vector<RealmCount> other_realms(std::string_view realm);

  // Until it is committed, nothing has changed for others; the destructor takes the changes back.
  class Transaction {
   public:
    explicit Transaction(Database& database);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

   private:
    Database& database_;
    bool committed_ = false;
  };

  // The user has at least one key, and no password. Each returns false when it changes nothing: the name is
  // there already, or is not there.
  bool add(std::string_view realm, const auth::UserParams& user, std::int64_t now);
  bool set_keys(std::string_view realm, const auth::UserParams& user, std::int64_t now);
  bool remove(std::string_view realm, std::string_view name);

  // What was revoked and has not expired, whatever the realm. A row that cannot be a revocation is an error.
  std::vector<auth::Revocation> revocations(WallTime now);
  // Of two for one name, the later times hold.
  void remember(std::span<const auth::Revocation> revocations, WallTime now);

 private:
  class Statement;
  struct Close {
    void operator()(sqlite3* connection) const;
  };

  void open(const std::string& name, int flags);
  void open_empty();  // one in memory
  void prepare_schema(Access access);
  std::int64_t number_of(const char* query);
  void run(const char* command);
  bool write_keys(const char* command, std::string_view realm, const auth::UserParams& user,
                  std::int64_t now);
  [[noreturn]] void fail();
  [[noreturn]] void fail(const std::string& what) const;

  std::string file_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace turnpike::users
