// Users in an SQLite database, so that they can change while the daemon runs. The database has the keys of a
// user (RFC 8489 §9.2.2 and §18.5.1.2) and never a password. Names are prepared with opaque_string() before
// they are stored. What an operator has revoked is kept there as well, so that a restart does not forget it.
//
// Open an object for one reading or one change. It belongs to one thread. SQLite waits up to kPatience for
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

struct RememberedRevocations {
  std::vector<auth::Revocation> revocations;
  // Rows that can be no revocations, or are too many. Nobody is refused because of them, and nobody is kept
  // from starting either.
  std::size_t left_out = 0;
};

struct RealmCount {
  std::string realm;
  std::uint64_t users = 0;
};

class Database {
 public:
  static constexpr std::size_t kMaxUsers = 100'000;  // of one realm
  static constexpr std::size_t kMaxListedRealms = 20;
  static constexpr std::chrono::milliseconds kPatience{500};

  // A file that does not exist is a database without users. `read` does not create it; `write` does, with
  // mode 0640 or less: the owner can write, the group can read. All functions throw DatabaseError.
  enum class Access : std::uint8_t { read, write };
  Database(const std::string& file, Access access);

  // The users of a realm. A row that cannot be a user is an error, and so are more than kMaxUsers rows.
  std::vector<auth::UserParams> users(std::string_view realm);
  // The first users by name, at most `limit`, whose names come after `after`.
  std::vector<ListedUser> list(std::string_view realm, std::string_view after, std::size_t limit);
  std::uint64_t count(std::string_view realm);
  // The realms that have users, without `realm`: the first kMaxListedRealms by name.
  std::vector<RealmCount> other_realms(std::string_view realm);

  // A transaction. Its changes become visible to others at commit(); the destructor undoes them when commit()
  // was not called.
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

  // `user` must have at least one key and no password. Each function returns false, and changes nothing, when
  // add() finds the name already, or the others do not find it. `now` is in seconds since 1970.
  bool add(std::string_view realm, const auth::UserParams& user, std::int64_t now);
  bool set_keys(std::string_view realm, const auth::UserParams& user, std::int64_t now);
  // Not one whose keys were set later than that.
  bool remove(std::string_view realm, std::string_view name, std::int64_t unless_changed_after = INT64_MAX);

  // What was revoked and has not expired, whatever the realm.
  RememberedRevocations revocations(WallTime now);
  // Stores the revocations. When a name is stored already, the later times are kept. A revocation that
  // revocations() would leave out is an error.
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
