// The admin listener of the daemon. It runs on the main thread and answers with the data of the daemon. It
// reads counters while packets flow, and asks workers by mail for what only they know.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "admin/params.hpp"
#include "admin/service.hpp"
#include "admin/site.hpp"
#include "admin/unix_listener.hpp"
#include "daemon/refusal_counters.hpp"
#include "daemon/refusal_log.hpp"
#include "http/server.hpp"
#include "relay/counters.hpp"
#include "relay/mailbox.hpp"
#include "relay/settings.hpp"

namespace turnpike::daemon {

class Administration : private admin::Service {
 public:
  // The result of a reload or a dry run, and the settings that the workers then have.
  struct Reloaded {
    admin::ReloadReport report;
    std::shared_ptr<const relay::Settings> settings{};  // null when the reload failed
  };

  // The functions and data of the daemon that this class uses. They must outlive it. The functions are called
  // on the main thread.
  struct Hooks {
    std::function<void(std::vector<admin::Metric>&)> add_metrics;
    std::function<boost::json::object()> status;
    std::function<bool()> is_ready;
    std::function<void(const admin::DrainOptions&)> drain;
    std::function<Reloaded(bool dry_run)> reload;
    std::function<boost::json::array()> nodes;
    std::function<http::Awaitable<boost::json::object>(std::string user)> end_user;
    std::function<Result<boost::json::object, admin::Refusal>(const std::string& after, std::size_t limit)>
        list_users;
    std::function<http::Awaitable<Result<boost::json::object, admin::Refusal>>(admin::UserChange)>
        change_users;
    std::function<http::Awaitable<Result<boost::json::object, admin::Refusal>>(
        auth::Revocation::Kind kind, std::string name, std::chrono::seconds duration)>
        revoke;
    std::deque<relay::Mailbox>& mailboxes;
  };

  // Opens all listeners and logs their addresses. Throws std::exception with a message for the operator when
  // one cannot be opened.
  Administration(boost::asio::io_context& io, const admin::Params& params, Hooks hooks);
  ~Administration() override;

  const std::vector<Endpoint>& endpoints() const { return server_.endpoints(); }

  // Open connections. From any thread.
  std::uint64_t connections() const { return server_.open_connections() + unix_server_.open_connections(); }
  const AdminRefusals& refusals() const { return refusal_counters_; }

  void start();
  // Changes the token secrets, the hosts and the public host. The listeners stay.
  void use(const admin::Params& params);
  // Leaves the io_context without work of this object's.
  void stop();

 private:
  std::vector<admin::Metric> metrics() override;
  bool is_ready() const override { return hooks_.is_ready(); }
  boost::json::object status() override { return hooks_.status(); }
  http::Awaitable<admin::AllocationList> allocations() override { return ask_workers(nullptr); }
  http::Awaitable<bool> kill(unsigned worker, std::uint64_t number) override;
  void drain(const admin::DrainOptions& options) override { hooks_.drain(options); }
  http::Awaitable<admin::ReloadReport> reload(bool dry_run) override;
  bool set_log_level(std::string_view level) override;
  void on_refused(const http::Refused& refused) override;
  boost::json::array nodes() override { return hooks_.nodes(); }
  http::Awaitable<boost::json::object> end_user(std::string user) override;
  Result<boost::json::object, admin::Refusal> list_users(const std::string& after,
                                                         std::size_t limit) override {
    return hooks_.list_users(after, limit);
  }
  http::Awaitable<Result<boost::json::object, admin::Refusal>> change_users(
      admin::UserChange change) override {
    return hooks_.change_users(std::move(change));
  }
  http::Awaitable<Result<boost::json::object, admin::Refusal>> revoke(
      auth::Revocation::Kind kind, std::string name, std::chrono::seconds duration) override {
    return hooks_.revoke(kind, std::move(name), duration);
  }
  http::Awaitable<admin::AllocationList> ask_workers(std::shared_ptr<const relay::Settings> ended_by);
  // Returns true when the workers have read all mail that was posted to them before, or false after a second,
  // when one of them hangs.
  http::Awaitable<bool> await_workers();
  http::Params http_params(const admin::Params& params);

  boost::asio::io_context& io_;
  Hooks hooks_;
  RefusalLog refusals_{"admin"};
  AdminRefusals refusal_counters_;
  http::Router router_;
  admin::Site site_;
  http::Server server_;
  // A server of its own for the unix sockets, so that HTTP clients cannot use up the connections of
  // operators.
  http::Server unix_server_;
  std::vector<std::unique_ptr<admin::UnixListener>> unix_listeners_;
};

}  // namespace turnpike::daemon
