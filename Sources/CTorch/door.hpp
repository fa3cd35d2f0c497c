// What the files of this door share.
#pragma once
#include "ctorch.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <new>
#include <string>

struct ct_tensor_s {
  at::Tensor value;
};
struct ct_op_s {
  c10::OperatorHandle handle;
};

/// The message of the last failure on this thread.
extern thread_local std::string last_error;

/// Runs `body`; no C++ exception ever crosses into Swift.
template <typename R, typename Body> R guarded(R failure, Body &&body) noexcept {
  try {
    return body();
  } catch (const c10::Error &error) {
    last_error = error.what_without_backtrace();
  } catch (const std::bad_alloc &) {
    last_error = "not enough memory";
  } catch (const std::exception &error) {
    last_error = error.what();
  } catch (...) {
    last_error = "unknown C++ exception";
  }
  return failure;
}
