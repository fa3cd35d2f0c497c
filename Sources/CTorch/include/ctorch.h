// The engine's door: all of libtorch that Swift sees. Tensors by handle, operators by name.
//
// No C++ type and no C++ exception crosses. A function that fails returns NULL or -1 and leaves a
// message for ct_error() on the calling thread.
#pragma once
#include "catrous_plans.h"
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_tensor_s *ct_tensor;
typedef const struct ct_op_s *ct_op;

/// What a boxed value holds.
typedef enum {
  CT_NONE,
  CT_TENSOR,
  CT_INT,
  CT_DOUBLE,
  CT_BOOL,
  CT_STRING,
  CT_DEVICE, // a string such as "cuda:0"
  CT_INTS,
  CT_DOUBLES,
  CT_BOOLS,
  CT_TENSORS, // handles; NULL stands for an undefined tensor or None
} ct_kind;

/// One boxed argument or result. Lists of arguments point into the caller's memory for the length
/// of the call.
typedef struct {
  ct_kind kind;
  int64_t count;
  union {
    ct_tensor tensor;
    int64_t integer;
    double real;
    const char *string;
    const int64_t *ints;
    const double *doubles;
    const uint8_t *bools;
    const ct_tensor *tensors;
  };
} ct_value;

/// The message of the last failure on this thread.
const char *ct_error(void);
/// Sets that message, for functions of the caller's that libtorch calls.
void ct_set_error(const char *message);

/// Finds the operator `name` (with its namespace, "aten::conv2d") and its overload. The handle
/// lives as long as the program.
ct_op ct_find(const char *name, const char *overload);

/// Calls `op` through the dispatcher, filling the arguments left out with the schema's defaults.
/// Tensors, numbers and each element of tensor lists become consecutive results in `out`.
/// Returns how many results there are (those past `capacity` are dropped), or -1.
int ct_call(ct_op op, const ct_value *arguments, int count, ct_value *out, int capacity);

/// An argument of an operator's schema.
typedef struct {
  const char *name;
  /// Whether the operator writes to the tensor, and whether calls may leave the argument out.
  int is_written, has_default;
  /// The default; a list of integers stays until this thread asks again.
  ct_value value;
} ct_argument;
/// Tells of one argument of `op`; 0, or -1 past the last.
int ct_schema_argument(ct_op op, int index, ct_argument *out);
/// The argument whose memory a result of `op` shares, or -1 where it has its own; -2 past the last.
int ct_schema_source(ct_op op, int result);

// Memory.
ct_tensor ct_from_bytes(const void *bytes, const int64_t *shape, int rank, int dtype);
/// A tensor over foreign memory; `release(context)` is called when the last reference is gone,
/// and at once if no tensor could be made.
ct_tensor ct_from_blob(void *bytes, const int64_t *shape, int rank, int dtype,
                       void (*release)(void *), void *context);
ct_tensor ct_alias(ct_tensor);
void ct_free(ct_tensor);
/// Copies the elements in row-major order to `out`, which holds `bytes` bytes.
int ct_read(ct_tensor, void *out, size_t bytes);
/// The memory of a tensor on the CPU, or NULL.
void *ct_data(ct_tensor);

// Properties.
int ct_rank(ct_tensor);
int ct_dtype(ct_tensor);
const int64_t *ct_shape(ct_tensor);
const int64_t *ct_strides(ct_tensor);
int ct_is_contiguous(ct_tensor, int memory_format);
int ct_same(ct_tensor, ct_tensor);
/// Writes the device's name ("cpu", "cuda:0").
void ct_device(ct_tensor, char *out, size_t capacity);

// Gradients.
int ct_requires_grad(ct_tensor);
ct_tensor ct_grad(ct_tensor);
int ct_set_grad(ct_tensor, ct_tensor gradient);
/// Gives `t` the memory (device, type, layout) of `other` and keeps its identity.
int ct_set_data(ct_tensor t, ct_tensor other);
int ct_detach_in_place(ct_tensor);
int ct_set_grad_enabled(int on);
int ct_grad_enabled(void);
void *ct_inference_begin(void);
void ct_inference_end(void *guard);
/// Casts eligible operators to `dtype` until the next call; -1 turns it off.
int ct_set_autocast(const char *device_type, int dtype);
/// What eligible operators are cast to, or -1.
int ct_autocast(const char *device_type);

/// A function over tensors: takes `count` handles, which are the caller's, and gives a new one, or
/// NULL after a failure.
typedef ct_tensor (*ct_body)(void *context, const ct_tensor *inputs, int count);
/// What `function` makes of `inputs` (at least one), of which backward keeps the inputs only: it
/// calls `function` again, with the random numbers and the autocast of the first time. The context
/// is released with the graph.
ct_tensor ct_recomputed(const ct_tensor *inputs, int count, ct_body function,
                        void (*release)(void *), void *context);
/// Whether this thread is inside such a second call.
int ct_is_recomputing(void);

// The library's state.
int ct_set_threads(int count);
int ct_threads(void);
void ct_seed(uint64_t seed);
ct_tensor ct_random_state(void);
int ct_set_random_state(ct_tensor);
int ct_set_deterministic(int on);
int ct_set_flush_denormal(int on);
/// Lets the C library keep freed memory (glibc only).
void ct_keep_freed_memory(void);
/// Lets large tensors made from now on use the pages of those that are gone (Linux only).
void ct_reuse_pages(void);
/// Gives back the memory of libraries' code, of which a program's start reads much that is not called again (Linux only).
void ct_give_back_code(void);
const char *ct_version(void);
const char *ct_cpu_capability(void);
const char *ct_build(void);
/// Loads libtorch's CUDA libraries if they lie beside libtorch_cpu; 0 or -1.
int ct_load_cuda(const char *folder);
int ct_has_cuda(void);
/// Waits for what is under way on a device; nothing to do on the CPU. 0 or -1.
int ct_synchronize(const char *device);
/// Whether products of float32 on a GPU may round their factors to TF32, 10 bits of the fraction: those of
/// matrices (cuBLAS) and those of convolutions (cuDNN).
int ct_set_tf32(int matrices, int convolutions);
int ct_tf32_matrices(void);
int ct_tf32_convolutions(void);
/// Whether cuDNN times its algorithms for each new shape and keeps the fastest.
int ct_set_cudnn_benchmark(int on);
int ct_cudnn_benchmark(void);

/// What a GPU was given to do, recorded; see docs/gpu.md.
typedef struct ct_graph_s *ct_graph;
/// Whether this build has them.
int ct_has_graphs(void);
/// Begins to record what this thread gives `device` ("cuda:0") to do; NULL after a failure.
ct_graph ct_graph_begin(const char *device);
/// Ends the recording; nothing has been computed yet. 0 or -1.
int ct_graph_end(ct_graph);
/// Does what was recorded once more, on the same memory. 0 or -1.
int ct_graph_replay(ct_graph);
/// Forgets a graph, at its end or while it records.
void ct_graph_free(ct_graph);
/// The folder that libtorch_cpu was loaded from.
const char *ct_library_folder(void);

/// The processor's name, which measured plans are for; see catrous_plans.h.
const char *ct_processor(void);

#ifdef __cplusplus
}
#endif
