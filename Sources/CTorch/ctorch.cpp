#include "door.hpp"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <climits>
#include <dlfcn.h>
#include <memory>
#include <string>
#include <torch/headeronly/version.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

thread_local std::string last_error;

namespace {
at::Tensor tensor_of(ct_tensor t) { return t ? t->value : at::Tensor(); }

/// `type` tells None elements apart: a schema of `Tensor?[]` takes a list of optionals.
c10::IValue box(const ct_value &v, const c10::TypePtr &type) {
  switch (v.kind) {
  case CT_NONE: return {};
  case CT_TENSOR: return tensor_of(v.tensor);
  case CT_INT:
    // A schema that asks for float refuses an integer when boxed.
    if (type->kind() == c10::TypeKind::FloatType) return static_cast<double>(v.integer);
    return v.integer;
  case CT_DOUBLE: return v.real;
  case CT_BOOL: return v.integer != 0;
  case CT_STRING: return std::string(v.string);
  case CT_DEVICE: return c10::Device(v.string);
  case CT_INTS: return std::vector<int64_t>(v.ints, v.ints + v.count);
  case CT_DOUBLES: {
    // A schema of `Scalar?[]` takes a list of optionals.
    auto list_type = type->cast<c10::ListType>();
    if (list_type && list_type->getElementType()->kind() == c10::TypeKind::OptionalType) {
      c10::List<std::optional<at::Scalar>> list;
      for (int64_t i = 0; i < v.count; i++) list.push_back(at::Scalar(v.doubles[i]));
      return list;
    }
    return std::vector<double>(v.doubles, v.doubles + v.count);
  }
  case CT_BOOLS: {
    c10::List<bool> list;
    for (int64_t i = 0; i < v.count; i++) list.push_back(v.bools[i] != 0);
    return list;
  }
  case CT_TENSORS: {
    auto list_type = type->cast<c10::ListType>();
    if (list_type && list_type->getElementType()->kind() == c10::TypeKind::OptionalType) {
      c10::List<std::optional<at::Tensor>> list;
      for (int64_t i = 0; i < v.count; i++)
        list.push_back(v.tensors[i] ? std::optional(v.tensors[i]->value) : std::nullopt);
      return list;
    }
    c10::List<at::Tensor> list;
    list.reserve(v.count);
    for (int64_t i = 0; i < v.count; i++) list.push_back(tensor_of(v.tensors[i]));
    return list;
  }
  }
  return {};
}

/// A number, or nothing.
ct_value number(const c10::IValue &item) {
  ct_value value{};
  if (item.isInt()) {
    value.kind = CT_INT;
    value.integer = item.toInt();
  } else if (item.isDouble()) {
    value.kind = CT_DOUBLE;
    value.real = item.toDouble();
  } else if (item.isBool()) {
    value.kind = CT_BOOL;
    value.integer = item.toBool();
  } else if (item.isScalar()) {
    value.kind = CT_DOUBLE;
    value.real = item.toScalar().toDouble();
  }
  return value;
}

/// Collects results, flattening lists of tensors.
struct Results {
  ct_value *out;
  int capacity, count = 0;
  void add(ct_value value) {
    if (count < capacity)
      out[count] = value;
    else if (value.kind == CT_TENSOR)
      delete value.tensor;
    count++;
  }
  void add(at::Tensor tensor) {
    ct_value value{};
    value.kind = CT_TENSOR;
    value.tensor = tensor.defined() ? new ct_tensor_s{std::move(tensor)} : nullptr;
    add(value);
  }
  void add(c10::IValue &&item) {
    if (item.isTensor()) return add(std::move(item).toTensor());
    if (item.isTensorList()) {
      for (at::Tensor tensor : item.toTensorVector()) add(std::move(tensor));
      return;
    }
    add(number(item));
  }
};

/// The alias set of a tensor, or of the tensors of a list, in a schema.
const c10::AliasInfo *aliases(const c10::Argument &argument) {
  const auto *info = argument.alias_info();
  return info && !info->containedTypes().empty() ? &info->containedTypes().front() : info;
}
} // namespace

const char *ct_error(void) { return last_error.c_str(); }
void ct_set_error(const char *message) { last_error = message; }

ct_op ct_find(const char *name, const char *overload) {
  return guarded<ct_op>(nullptr, [&] {
    return new ct_op_s{c10::Dispatcher::singleton().findSchemaOrThrow(name, overload)};
  });
}

int ct_call(ct_op op, const ct_value *arguments, int count, ct_value *out, int capacity) {
  return guarded(-1, [&] {
    const auto &wanted = op->handle.schema().arguments();
    TORCH_CHECK(static_cast<size_t>(count) <= wanted.size(), "takes ", wanted.size(),
                " arguments, ", count, " given");
    torch::jit::Stack stack;
    stack.reserve(wanted.size());
    for (int i = 0; i < count; i++) stack.push_back(box(arguments[i], wanted[i].type()));
    for (size_t i = count; i < wanted.size(); i++) {
      TORCH_CHECK(wanted[i].default_value(), "missing argument '", wanted[i].name(), "'");
      stack.push_back(*wanted[i].default_value());
    }
    op->handle.callBoxed(stack);
    Results results{out, capacity};
    for (auto &value : stack) results.add(std::move(value));
    return results.count;
  });
}

int ct_schema_argument(ct_op op, int index, ct_argument *out) {
  return guarded(-1, [&] {
    const auto &all = op->handle.schema().arguments();
    if (static_cast<size_t>(index) >= all.size()) return -1;
    const auto &argument = all[index];
    const auto *alias = aliases(argument);
    *out = {argument.name().c_str(),
            alias && alias->isWrite(),
            argument.default_value().has_value(),
            {}};
    if (!out->has_default) return 0;
    const auto &item = *argument.default_value();
    thread_local std::vector<int64_t> ints;
    if (item.isIntList()) {
      ints = item.toIntVector();
      out->value.kind = CT_INTS;
      out->value.count = static_cast<int64_t>(ints.size());
      out->value.ints = ints.data();
    } else if (item.isString()) {
      out->value.kind = CT_STRING;
      out->value.string = item.toStringRef().c_str();
    } else {
      out->value = number(item);
    }
    return 0;
  });
}

int ct_schema_source(ct_op op, int result) {
  return guarded(-2, [&] {
    const auto &schema = op->handle.schema();
    if (static_cast<size_t>(result) >= schema.returns().size()) return -2;
    const auto *alias = aliases(schema.returns()[result]);
    for (size_t i = 0; alias && i < schema.arguments().size(); i++) {
      const auto *other = aliases(schema.arguments()[i]);
      if (other && other->beforeSets() == alias->beforeSets()) return static_cast<int>(i);
    }
    return -1;
  });
}

ct_tensor ct_from_bytes(const void *bytes, const int64_t *shape, int rank, int dtype) {
  return guarded<ct_tensor>(nullptr, [&] {
    auto tensor = at::empty(at::IntArrayRef(shape, rank),
                            at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
    if (bytes && tensor.nbytes()) memcpy(tensor.mutable_data_ptr(), bytes, tensor.nbytes());
    return new ct_tensor_s{tensor};
  });
}

ct_tensor ct_from_blob(void *bytes, const int64_t *shape, int rank, int dtype,
                       void (*release)(void *), void *context) {
  return guarded<ct_tensor>(nullptr, [&] {
    std::shared_ptr<void> owner(context, release);
    return new ct_tensor_s{at::from_blob(
        bytes, at::IntArrayRef(shape, rank), [owner](void *) {},
        at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)))};
  });
}

ct_tensor ct_alias(ct_tensor t) { return new ct_tensor_s{t->value}; }
void ct_free(ct_tensor t) { delete t; }

int ct_read(ct_tensor t, void *out, size_t bytes) {
  return guarded(-1, [&] {
    auto plain = t->value.detach().to(at::kCPU).contiguous();
    TORCH_CHECK(plain.nbytes() == bytes, "tensor holds ", plain.nbytes(), " bytes, not ", bytes);
    if (bytes) memcpy(out, plain.const_data_ptr(), bytes);
    return 0;
  });
}

void *ct_data(ct_tensor t) {
  return guarded<void *>(nullptr, [&]() -> void * {
    TORCH_CHECK(t->value.device().is_cpu(), "the tensor is not on the CPU");
    return const_cast<void *>(t->value.const_data_ptr());
  });
}

int ct_rank(ct_tensor t) { return static_cast<int>(t->value.dim()); }
int ct_dtype(ct_tensor t) { return static_cast<int>(t->value.scalar_type()); }
const int64_t *ct_shape(ct_tensor t) { return t->value.sizes().data(); }
const int64_t *ct_strides(ct_tensor t) { return t->value.strides().data(); }
int ct_is_contiguous(ct_tensor t, int format) {
  return guarded(
      0, [&] { return t->value.is_contiguous(static_cast<at::MemoryFormat>(format)) ? 1 : 0; });
}
int ct_same(ct_tensor a, ct_tensor b) { return a->value.is_same(b->value); }

void ct_device(ct_tensor t, char *out, size_t capacity) {
  snprintf(out, capacity, "%s", t->value.device().str().c_str());
}

int ct_requires_grad(ct_tensor t) { return t->value.requires_grad(); }

ct_tensor ct_grad(ct_tensor t) {
  return guarded<ct_tensor>(nullptr, [&]() -> ct_tensor {
    const auto &gradient = t->value.grad();
    return gradient.defined() ? new ct_tensor_s{gradient} : nullptr;
  });
}

int ct_set_grad(ct_tensor t, ct_tensor gradient) {
  return guarded(-1, [&] {
    t->value.mutable_grad() = tensor_of(gradient);
    return 0;
  });
}

int ct_set_data(ct_tensor t, ct_tensor other) {
  return guarded(-1, [&] {
    t->value.set_data(other->value.detach());
    return 0;
  });
}

int ct_detach_in_place(ct_tensor t) {
  return guarded(-1, [&] {
    t->value.detach_();
    return 0;
  });
}

int ct_set_grad_enabled(int on) {
  bool was = at::GradMode::is_enabled();
  at::GradMode::set_enabled(on != 0);
  return was;
}
int ct_grad_enabled(void) { return at::GradMode::is_enabled(); }

void *ct_inference_begin(void) {
  return guarded<void *>(nullptr, [] { return new c10::InferenceMode(true); });
}
void ct_inference_end(void *guard) { delete static_cast<c10::InferenceMode *>(guard); }

int ct_set_autocast(const char *device_type, int dtype) {
  return guarded(-1, [&] {
    auto device = c10::Device(device_type).type();
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, dtype >= 0);
    if (dtype >= 0) at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(dtype));
    return 0;
  });
}

int ct_autocast(const char *device_type) {
  return guarded(-1, [&] {
    auto device = c10::Device(device_type).type();
    return at::autocast::is_autocast_enabled(device)
               ? static_cast<int>(at::autocast::get_autocast_dtype(device))
               : -1;
  });
}

int ct_set_threads(int count) {
  return guarded(-1, [&] {
    at::set_num_threads(count);
    return 0;
  });
}
int ct_threads(void) { return at::get_num_threads(); }
void ct_seed(uint64_t seed) {
  guarded(0, [&] {
    at::manual_seed(seed);
    return 0;
  });
}

ct_tensor ct_random_state(void) {
  return guarded<ct_tensor>(nullptr, [] {
    auto generator = at::globalContext().defaultGenerator(at::kCPU);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return new ct_tensor_s{generator.get_state()};
  });
}
int ct_set_random_state(ct_tensor state) {
  return guarded(-1, [&] {
    auto generator = at::globalContext().defaultGenerator(at::kCPU);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state->value);
    return 0;
  });
}

int ct_set_deterministic(int on) {
  return guarded(-1, [&] {
    at::globalContext().setDeterministicAlgorithms(on != 0, /*warn_only=*/false);
    return 0;
  });
}
int ct_set_flush_denormal(int on) { return at::globalContext().setFlushDenormal(on != 0); }

void ct_keep_freed_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 28);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 1 << 26);
#endif
}

const char *ct_version(void) { return TORCH_VERSION; }
const char *ct_cpu_capability(void) {
  static const std::string name = guarded(std::string(), [] { return at::get_cpu_capability(); });
  return name.c_str();
}
const char *ct_build(void) {
  static const std::string text = guarded(std::string(), [] { return at::show_config(); });
  return text.c_str();
}

int ct_load_cuda(const char *folder) {
  // Before the first at::hasCUDA(): asking earlier would fix the answer "no" for the process.
  std::string path = std::string(folder) + "/libtorch_cuda.so";
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return 0;
  const char *reason = dlerror();
  last_error = reason ? reason : path + " cannot be loaded";
  return -1;
}
int ct_has_cuda(void) {
  return guarded(0, [] { return at::hasCUDA() ? 1 : 0; });
}

int ct_synchronize(const char *device) {
  return guarded(-1, [&] {
    const c10::Device place(device);
    if (!place.is_cpu()) at::accelerator::synchronizeDevice(place.has_index() ? place.index() : 0);
    return 0;
  });
}

int ct_set_tf32(int matrices, int convolutions) {
  return guarded(-1, [&] {
    at::globalContext().setAllowTF32CuBLAS(matrices != 0);
    at::globalContext().setAllowTF32CuDNN(convolutions != 0);
    return 0;
  });
}
int ct_tf32_matrices(void) {
  return guarded(-1, [] { return at::globalContext().allowTF32CuBLAS() ? 1 : 0; });
}
int ct_tf32_convolutions(void) {
  return guarded(-1, [] { return at::globalContext().allowTF32CuDNN() ? 1 : 0; });
}
int ct_set_cudnn_benchmark(int on) {
  return guarded(-1, [&] {
    at::globalContext().setBenchmarkCuDNN(on != 0);
    return 0;
  });
}
int ct_cudnn_benchmark(void) { return at::globalContext().benchmarkCuDNN(); }

const char *ct_library_folder(void) {
  static const std::string folder = [] {
    Dl_info info{};
    if (!dladdr(reinterpret_cast<void *>(&at::set_num_threads), &info) || !info.dli_fname)
      return std::string();
    std::string path = info.dli_fname;
    auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
  }();
  return folder.c_str();
}

// Compiled together for libtorch's headers.
#include "graphs.inc"
#include "recompute.inc"
