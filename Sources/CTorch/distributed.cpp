// Groups of processes: rendezvous, Gloo, and the collective operations.
#include "group.hpp"

// libtorch is built with Gloo; its headers ask.
#define USE_C10D_GLOO
#include <c10/util/Flags.h>
#include <cstdlib>
#include <sstream>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

C10_DECLARE_int(caffe2_log_level);

using c10d::ProcessGroup;
using c10d::ProcessGroupGloo;
using Store = c10::intrusive_ptr<c10d::Store>;

namespace {
// libtorch notes every collective in a table of the process that its groups write to without a lock,
// so groups on several threads could crash. Nobody reads the table here: it is off unless the
// environment sizes it. Before any thread exists, for the environment has no lock either.
[[maybe_unused]] const int recorder_off = setenv("TORCH_FR_BUFFER_SIZE", "0", 0);

struct Meeting {
  std::string backend, host;
  int rank, size;
  const char *interfaces;
  std::chrono::milliseconds timeout;
};

c10::intrusive_ptr<c10d::Backend> gloo(const Meeting &meeting, const Store &store) {
  auto options = ProcessGroupGloo::Options::create(meeting.timeout);
  if (meeting.interfaces) {
    std::istringstream names(meeting.interfaces);
    for (std::string name; std::getline(names, name, ',');)
      options->devices.push_back(ProcessGroupGloo::createDeviceForInterface(name));
  } else if (meeting.host == "127.0.0.1" || meeting.host == "localhost") {
    // All are on this machine, whatever its name stands for.
    options->devices.push_back(ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  } else {
    options->devices.push_back(ProcessGroupGloo::createDefaultDevice());
  }
  return c10::make_intrusive<ProcessGroupGloo>(store, meeting.rank, meeting.size, options);
}

c10::intrusive_ptr<ProcessGroup> open(const Meeting &meeting, const Store &all, const char *name) {
  auto store = c10::make_intrusive<c10d::PrefixStore>(name, all);
  auto group = c10::make_intrusive<ProcessGroup>(store, meeting.rank, meeting.size);
  auto add = [&](c10::DeviceType device, ProcessGroup::BackendType type,
                 const c10::intrusive_ptr<c10d::Backend> &backend) {
    group->setBackend(device, type, backend);
  };
  auto shared = gloo(meeting, store);
  add(at::kCPU, ProcessGroup::BackendType::GLOO, shared);
  if (meeting.backend == "nccl") {
    add(at::kCUDA, ProcessGroup::BackendType::NCCL,
        nccl_backend(c10::make_intrusive<c10d::PrefixStore>("nccl", store), meeting.rank,
                     meeting.size, meeting.timeout));
    group->setDefaultBackend(ProcessGroup::BackendType::NCCL);
  } else {
    add(at::kCUDA, ProcessGroup::BackendType::GLOO, shared);
    group->setDefaultBackend(ProcessGroup::BackendType::GLOO);
  }
  group->setGroupName(name);
  return group;
}

template <typename Work> int finish(Work &&work) {
  if (work) work->wait();
  return 0;
}
} // namespace

int ct_has_backend(const char *backend) {
  std::string name(backend);
  return name == "gloo" || (name == "nccl" && has_nccl());
}

ct_group ct_group_open(const char *backend, const char *host, int port, int rank, int size,
                       int listening, const char *interfaces, double timeout) {
  return guarded<ct_group>(nullptr, [&] {
    // Failures come back as errors; c10d would print a trace of the stack with each besides.
    constexpr int fatal_only = 3;
    if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = fatal_only;
    TORCH_CHECK(ct_has_backend(backend), "this build has no backend '", backend, "'");
    std::chrono::milliseconds limit(static_cast<int64_t>(timeout * 1000));
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = rank == 0;
    options.numWorkers = size;
    options.timeout = limit;
    if (rank == 0 && listening >= 0) options.masterListenFd = listening;
    Store store = c10::make_intrusive<c10d::TCPStore>(host, options);
    Meeting meeting{backend, host, rank, size, interfaces, limit};
    return new ct_group_s{open(meeting, store, "calls"), open(meeting, store, "gradients")};
  });
}

int ct_all_reduce(ct_group group, ct_tensor t, int operation) {
  return guarded(-1, [&] {
    std::vector<at::Tensor> tensors{t->value};
    c10d::AllreduceOptions options;
    options.reduceOp = operation ? c10d::ReduceOp::MAX : c10d::ReduceOp::SUM;
    return finish(group->calls->allreduce(tensors, options));
  });
}

int ct_broadcast(ct_group group, const ct_tensor *tensors, int count, int root) {
  return guarded(-1, [&] {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    // All are under way before the first is waited for.
    std::vector<c10::intrusive_ptr<c10d::Work>> under_way;
    std::vector<at::Tensor> plain;
    for (int i = 0; i < count; i++) {
      // Gloo sends memory as it lies, so that every rank's must lie the same way.
      plain.push_back(tensors[i]->value.detach().contiguous());
      std::vector<at::Tensor> one{plain.back()};
      under_way.push_back(group->calls->broadcast(one, options));
    }
    for (int i = 0; i < count; i++) {
      finish(under_way[i]);
      auto target = tensors[i]->value.detach();
      if (!target.is_alias_of(plain[i])) target.copy_(plain[i]);
    }
    return 0;
  });
}

int ct_all_gather(ct_group group, ct_tensor t, ct_tensor *out) {
  return guarded(-1, [&] {
    std::vector<at::Tensor> own{t->value.detach().contiguous()};
    std::vector<std::vector<at::Tensor>> all(1);
    for (int i = 0; i < group->calls->getSize(); i++) all[0].push_back(at::empty_like(own[0]));
    finish(group->calls->allgather(all, own));
    for (size_t i = 0; i < all[0].size(); i++) out[i] = new ct_tensor_s{all[0][i]};
    return 0;
  });
}

int ct_barrier(ct_group group) {
  return guarded(-1, [&] { return finish(group->calls->barrier()); });
}
