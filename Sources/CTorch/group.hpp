// What the files about several processes share.
#pragma once
#include "cdistributed.h"
#include "door.hpp"

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

struct ct_group_s {
  /// For what the program asks for, and for gradients: they are on their way while backward asks
  /// for sums of batch normalization.
  c10::intrusive_ptr<c10d::ProcessGroup> calls, gradients;
};

/// Groups of processes over NCCL, where this build has it; fails elsewhere.
c10::intrusive_ptr<c10d::Backend> nccl_backend(const c10::intrusive_ptr<c10d::Store> &store,
                                               int rank, int size,
                                               std::chrono::milliseconds timeout);
bool has_nccl();
