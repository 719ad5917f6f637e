// Two agents of libnice, an ICE implementation of another project, that may use only the relay: they connect
// and exchange datagrams both ways. integration/libnice_test.cpp runs this. The exit code is 0 when
// everything has arrived.
//
//   libnice_relay PORT udp|tcp       a TURN server on 127.0.0.1 with user alice, password secret
#include <nice/agent.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr guint kComponent = 1;
constexpr guint kPatience = 30;  // seconds
constexpr const char* kServer = "127.0.0.1";
const std::vector<std::size_t> kSizes{1, 2, 3, 4, 160, 1199, 1200};

[[noreturn]] void fail(const std::string& why) {
  std::cout << "failed: " << why << '\n';
  std::exit(1);
}

class Agent;

// Both agents and the loop that drives them.
struct Call {
  GMainContext* context = g_main_context_new();
  GMainLoop* loop = g_main_loop_new(context, FALSE);
  std::vector<Agent*> agents;
  guint gathered = 0;
  guint closed = 0;

  void on_gathered();
  void on_closed();
};

class Agent {
 public:
  Agent(Call& call, bool controlling, guint port, NiceRelayType way)
      : call_(call), agent_(nice_agent_new(call.context, NICE_COMPATIBILITY_RFC5245)) {
    g_object_set(agent_, "controlling-mode", controlling, "force-relay", TRUE, "ice-tcp", FALSE, "upnp",
                 FALSE, nullptr);
    NiceAddress local;
    nice_address_init(&local);
    nice_address_set_from_string(&local, kServer);
    nice_agent_add_local_address(agent_, &local);
    g_signal_connect(agent_, "candidate-gathering-done", G_CALLBACK(gathering_done), this);
    g_signal_connect(agent_, "component-state-changed", G_CALLBACK(state_changed), this);
    stream_ = nice_agent_add_stream(agent_, kComponent);
    if (!nice_agent_set_relay_info(agent_, stream_, kComponent, kServer, port, "alice", "secret", way))
      fail("no relay info");
    nice_agent_attach_recv(agent_, stream_, kComponent, call.context, received, this);
    call.agents.push_back(this);
  }
  ~Agent() { g_object_unref(agent_); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void gather() {
    if (!nice_agent_gather_candidates(agent_, stream_)) fail("gathering did not start");
  }

  // Tells `other` the candidates that this agent has gathered.
  void introduce_to(Agent& other) const {
    gchar* fragment = nullptr;
    gchar* password = nullptr;
    nice_agent_get_local_credentials(agent_, stream_, &fragment, &password);
    nice_agent_set_remote_credentials(other.agent_, other.stream_, fragment, password);
    g_free(fragment);
    g_free(password);
    GSList* candidates = nice_agent_get_local_candidates(agent_, stream_, kComponent);
    if (!candidates) fail("no relayed candidate");
    for (const GSList* i = candidates; i; i = i->next) {
      if (static_cast<NiceCandidate*>(i->data)->type != NICE_CANDIDATE_TYPE_RELAYED)
        fail("a candidate is not relayed");
    }
    nice_agent_set_remote_candidates(other.agent_, other.stream_, kComponent, candidates);
    g_slist_free_full(candidates, [](gpointer c) { nice_candidate_free(static_cast<NiceCandidate*>(c)); });
  }

  bool done() const { return ready_ && received_ == kSizes.size(); }

  void close() {
    nice_agent_close_async(
        agent_, [](GObject*, GAsyncResult*, gpointer self) { static_cast<Agent*>(self)->call_.on_closed(); },
        this);
  }

 private:
  static std::string payload(std::size_t size) {
    return std::string(size, static_cast<char>('a' + size % 26));
  }

  static void gathering_done(NiceAgent*, guint, gpointer self) {
    static_cast<Agent*>(self)->call_.on_gathered();
  }

  static void state_changed(NiceAgent*, guint, guint, guint state, gpointer self) {
    if (state == NICE_COMPONENT_STATE_FAILED) fail("the agents did not connect");
    if (state == NICE_COMPONENT_STATE_READY) static_cast<Agent*>(self)->on_ready();
  }

  // The first agent begins, and each answers what it gets, until the last size has arrived.
  void on_ready() {
    if (ready_) return;
    NiceCandidate* local = nullptr;
    NiceCandidate* remote = nullptr;
    if (!nice_agent_get_selected_pair(agent_, stream_, kComponent, &local, &remote))
      fail("no pair is selected");
    if (local->type != NICE_CANDIDATE_TYPE_RELAYED || remote->type != NICE_CANDIDATE_TYPE_RELAYED)
      fail("the selected pair is not relayed");
    ready_ = true;
    if (std::ranges::all_of(call_.agents, [](const Agent* a) { return a->ready_; })) call_.agents[0]->send(0);
  }

  void send(std::size_t index) {
    const std::string data = payload(kSizes[index]);
    const gint sent =
        nice_agent_send(agent_, stream_, kComponent, static_cast<guint>(data.size()), data.data());
    if (sent != static_cast<gint>(data.size()))
      fail("nice_agent_send took " + std::to_string(sent) + " octets");
  }

  static void received(NiceAgent*, guint, guint, guint size, gchar* data, gpointer self) {
    static_cast<Agent*>(self)->on_received({data, size});
  }

  void on_received(std::string_view data) {
    if (received_ == kSizes.size() || data != payload(kSizes[received_]))
      fail("what came is not what was sent");
    ++received_;
    if (this == call_.agents[1]) send(received_ - 1);
    if (this == call_.agents[0] && received_ < kSizes.size()) send(received_);
    if (std::ranges::all_of(call_.agents, &Agent::done)) {
      for (Agent* agent : call_.agents) agent->close();
    }
  }

  Call& call_;
  NiceAgent* agent_;
  guint stream_ = 0;
  bool ready_ = false;
  std::size_t received_ = 0;
};

void Call::on_gathered() {
  if (++gathered != agents.size()) return;
  agents[0]->introduce_to(*agents[1]);
  agents[1]->introduce_to(*agents[0]);
}

void Call::on_closed() {
  if (++closed == agents.size()) g_main_loop_quit(loop);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: libnice_relay PORT udp|tcp");
  const auto port = static_cast<guint>(std::atoi(argv[1]));
  const NiceRelayType way =
      std::string_view(argv[2]) == "tcp" ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP;
  Call call;
  g_main_context_push_thread_default(call.context);  // where closing is reported
  GSource* timeout = g_timeout_source_new_seconds(kPatience);
  g_source_set_callback(
      timeout, [](gpointer) -> gboolean { fail("it takes too long"); }, nullptr, nullptr);
  g_source_attach(timeout, call.context);
  {
    Agent one(call, true, port, way);
    Agent two(call, false, port, way);
    one.gather();
    two.gather();
    g_main_loop_run(call.loop);
  }
  g_source_destroy(timeout);
  g_source_unref(timeout);
  g_main_loop_unref(call.loop);
  g_main_context_pop_thread_default(call.context);
  g_main_context_unref(call.context);
  std::cout << "all arrived\n";
  return 0;
}
