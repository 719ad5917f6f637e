#include "cluster/nodes.hpp"

#include <utility>

namespace turnpike::cluster {

Nodes::Nodes(boost::asio::io_context& io, const Params& params, Hooks hooks)
    : own_(params, std::move(hooks.clock)),
      log_(own_, {}, std::move(hooks.warn), refused_),
      seal_(params.secrets),
      sealed_orders_(own_, seal_, log_),
      link_(io, params, own_, sealed_orders_, log_, link_hooks(hooks)),
      revocations_(link_.commands(), seal_, log_, own_.revoked,
                   {.revoked = std::move(hooks.revoked), .list = std::move(hooks.list_revoked)}),
      own_record_(own_, seal_, link_.commands(), log_, std::move(hooks.describe)),
      records_(own_, seal_, link_, log_, known_, own_record_,
               {.changed = std::move(hooks.changed),
                .read = [this](std::uint64_t reading) { own_orders_.await_newcomers(reading); }}),
      kept_orders_(own_, link_),
      own_orders_(own_, sealed_orders_, link_, known_, records_, kept_orders_),
      received_orders_(own_, sealed_orders_, link_, log_, known_, kept_orders_, std::move(hooks.carry_out)),
      timer_(io) {}

NodeLink::Hooks Nodes::link_hooks(Hooks& hooks) {
  return {
      .up =
          [this] {
            announce();
            revocations_.synchronize();
          },
      .down = [this] { records_.forget(); },
      .subscribed =
          [this] {
            // Revocations between the last reading and this subscription were missed.
            if (link_.commands().is_up() && !link_.is_stopped()) revocations_.synchronize();
          },
      .unsubscribed = [this] { received_orders_.on_unsubscribed(); },
      .message = [this](std::string_view channel, std::string_view payload) { on_message(channel, payload); },
      .linked =
          [this, connected = std::move(hooks.connected)] {
            if (connected) connected();
            received_orders_.catch_up(own_record_.began());
          },
      .unlinked = std::move(hooks.disconnected),
      .unreachable = std::move(hooks.unreachable)};
}

void Nodes::start() {
  link_.start();
  tick();
}

void Nodes::stop() {
  link_.stop();
  own_orders_.finish_all();
  timer_.cancel();
  if (!link_.commands().is_up()) return link_.end();
  link_.end_after(own_record_.make_last());
}

void Nodes::tick() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || link_.is_stopped()) return;
    tick();
    own_record_.write();
    records_.read();
    own_orders_.finish_overdue();
    link_.look_for_echo();
    // Redis may have evicted the revocations, and then a node that comes later would not know them.
    if (link_.is_linked()) revocations_.check(own_.clock().steady);
    link_.keep_listening();
  });
}

void Nodes::announce() {
  own_record_.renew();
  if (link_.is_stopped()) return;
  own_record_.write();
  records_.read();
}

// The order reaches the other nodes after the revocation, by the same connection. So their answers show that
// they know the revocation.
void Nodes::share(const auth::Revocation& revocation, WhenKnown then) {
  revocations_.share(revocation, [this, then = std::move(then)](bool is_done) {
    if (!then) return;
    if (is_done) {
      return publish({Order::Kind::revoke, "all"}, [then](Outcome outcome) {
        outcome.is_kept = true;
        then(outcome);
      });
    }
    Outcome outcome;
    outcome.is_told = false;
    for (std::string& name : known_.possibly_running())
      outcome.missed.push_back({std::move(name), "no-redis"});
    then(outcome);
  });
}

void Nodes::on_message(std::string_view channel, std::string_view payload) {
  if (channel == own_.revoked) return revocations_.on_message(payload);
  return channel == own_.orders ? received_orders_.receive(payload) : on_answer(payload);
}

void Nodes::on_answer(std::string_view sealed) {
  const auto answer = sealed_orders_.open_answer(sealed);
  if (!answer) return;
  if (answer->node == own_.name) return link_.hear_echo(answer->order);
  own_orders_.on_answer(*answer);
}

}  // namespace turnpike::cluster
