// CUDA graphs, for builds against a libtorch with CUDA; see docs/gpu.md.
#include "door.hpp"

#ifdef ATROUS_CUDA
#include <ATen/DeviceAccelerator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>
#include <memory>

/// A graph, and the stream that it was captured on.
struct ct_graph_s {
  at::cuda::CUDAGraph graph;
  c10::cuda::CUDAStream stream;
  c10::cuda::CUDAStream before;
  bool captures = false;
};

int ct_has_graphs(void) { return 1; }

ct_graph ct_graph_begin(const char *device) {
  return guarded<ct_graph>(nullptr, [&] {
    const c10::Device place(device);
    TORCH_CHECK(place.is_cuda(), "graphs are of CUDA, not of ", place.str());
    const auto before = c10::cuda::getCurrentCUDAStream(place.index());
    // What is under way may still read what the graph is to read.
    at::accelerator::synchronizeDevice(before.device_index());
    std::unique_ptr<ct_graph_s> graph(new ct_graph_s{
        at::cuda::CUDAGraph(), c10::cuda::getStreamFromPool(false, place.index()), before});
    c10::cuda::setCurrentCUDAStream(graph->stream);
    try {
      // Other threads, such as those that decode images, may ask CUDA for memory meanwhile.
      graph->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    } catch (...) {
      c10::cuda::setCurrentCUDAStream(before);
      throw;
    }
    graph->captures = true;
    return graph.release();
  });
}

int ct_graph_end(ct_graph graph) {
  return guarded(-1, [&] {
    graph->captures = false;
    // Back to the caller's stream, whatever becomes of the recording.
    struct Back {
      c10::cuda::CUDAStream stream;
      ~Back() { c10::cuda::setCurrentCUDAStream(stream); }
    } back{graph->before};
    c10::cuda::setCurrentCUDAStream(graph->stream);
    graph->graph.capture_end();
    return 0;
  });
}

int ct_graph_replay(ct_graph graph) {
  return guarded(-1, [&] {
    graph->graph.replay();
    return 0;
  });
}

void ct_graph_free(ct_graph graph) {
  guarded(0, [&] {
    if (graph && graph->captures) ct_graph_end(graph);
    delete graph;
    return 0;
  });
}
#else
struct ct_graph_s {};

namespace {
int missing() {
  return guarded(-1, []() -> int { TORCH_CHECK(false, "this build has no CUDA graphs"); });
}
} // namespace

int ct_has_graphs(void) { return 0; }
ct_graph ct_graph_begin(const char *) {
  missing();
  return nullptr;
}
int ct_graph_end(ct_graph) { return missing(); }
int ct_graph_replay(ct_graph) { return missing(); }
void ct_graph_free(ct_graph graph) { delete graph; }
#endif
