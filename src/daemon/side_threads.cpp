#include "daemon/side_threads.hpp"

#include <utility>

namespace turnpike::daemon {

void SideThreads::open_signaling(SignalingThread::Params params) {
  signaling_ = std::make_unique<SignalingThread>(std::move(params));
}

void SideThreads::open_web(const config::Config& config, const Certificates* tls) {
  if (web_) return;
  own_names_ = std::make_unique<OwnNames>(config.signaling, tls);
  web_ = std::make_unique<WebForwarder>(config.streams);
}

void SideThreads::set_hand_overs(relay::Streams::Shared& streams) {
  if (signaling_) {
    streams.http = [this](net::Fd connection, net::AcceptedConnection accepted) {
      signaling_->adopt(std::move(connection), std::move(accepted));
    };
  }
  if (web_) {
    streams.web = [this](net::Fd connection, const relay::PassedConnection& about) {
      web_->pass(std::move(connection), about);
    };
    streams.is_ours = [this](std::string_view name) { return own_names_->has(name); };
  }
}

void SideThreads::add_questions(std::vector<Heartbeat::Question>& questions) {
  if (signaling_)
    questions.emplace_back([this](std::function<void()> answer) { signaling_->ask(std::move(answer)); });
  if (web_) questions.emplace_back([this](std::function<void()> answer) { web_->ask(std::move(answer)); });
}

void SideThreads::start() {
  if (signaling_) signaling_->start();
  if (web_) web_->start();
}

void SideThreads::stop(const std::function<void(const char*, StopWatch::CutOff)>& begin) {
  if (signaling_) {
    begin("the signaling thread", [this] { return signaling_->cut_off(); });
    signaling_->stop();
  }
  if (web_) {
    begin("the web thread", [this] { return web_->cut_off(); });
    web_->stop();
  }
}

void SideThreads::use(const config::Config& config, const std::map<IpAddress, IpAddress>& advertised,
                      const std::optional<IpAddress>& default_address) {
  if (signaling_) signaling_->use(config, advertised, default_address);
  if (own_names_) own_names_->use(config.signaling);
  if (web_) web_->use(config.streams);
}

}  // namespace turnpike::daemon
