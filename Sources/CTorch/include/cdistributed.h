// Several processes that train one network: libtorch's c10d behind plain C functions.
//
// Failures are told as by the rest of the door: NULL or -1, and a message for ct_error(). Groups and
// reducers live as long as the program; a peer that is gone must not hold up its end.
#pragma once
#include "ctorch.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_group_s *ct_group;
typedef struct ct_reducer_s *ct_reducer;

/// Meets the other processes at `host:port`, where rank 0 listens, and connects to all of them.
///
/// `backend` is "gloo" or "nccl". `listening` is a socket that listens at `port` already, for rank 0,
/// or -1. `interfaces` are network interfaces for Gloo, separated by commas, or NULL for the one of
/// this host's name. Waiting longer than `timeout` seconds, here and in every call below, is a
/// failure.
ct_group ct_group_open(const char *backend, const char *host, int port, int rank, int size,
                       int listening, const char *interfaces, double timeout);
/// Whether this build can open groups of this backend.
int ct_has_backend(const char *backend);

/// Puts the sum (0) or the largest (1) of all ranks' elements into `t` of each.
int ct_all_reduce(ct_group, ct_tensor t, int operation);
/// Puts the elements of rank `root` into the tensors of all.
int ct_broadcast(ct_group, const ct_tensor *tensors, int count, int root);
/// Puts the tensor of each rank, of one shape, into `out`, one a rank.
int ct_all_gather(ct_group, ct_tensor, ct_tensor *out);
int ct_barrier(ct_group);

/// Averages the gradients of `parameters` over the ranks while backward runs, in buckets.
///
/// With `is_fixed` the graph must be the same in every step; otherwise each step looks for the
/// parameters that it leaves out.
ct_reducer ct_reducer_make(ct_group, const ct_tensor *parameters, int count, int is_fixed,
                           int64_t first_bucket_bytes, int64_t bucket_bytes);
/// Before the forward pass of a step whose gradients are to be averaged.
int ct_reducer_begin(ct_reducer);
/// After it; backward must run on the tensor that this returns, which has the value of `loss`.
ct_tensor ct_reducer_expect(ct_reducer, ct_tensor loss);

/// Batch normalization of (N, C, …) by the mean and the variance over the images of all ranks;
/// running statistics may be NULL.
ct_tensor ct_synchronized_batch_norm(ct_group, ct_tensor x, ct_tensor weight, ct_tensor bias,
                                     ct_tensor running_mean, ct_tensor running_var, double momentum,
                                     double eps);

#ifdef __cplusplus
}
#endif
