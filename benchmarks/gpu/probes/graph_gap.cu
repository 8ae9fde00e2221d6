// What one more kernel costs when it is a node of a CUDA graph, with and without programmatic dependent launch
// (a kernel may begin while the one before it ends), beside plain launches into a stream.
#include "common.cuh"

namespace {

constexpr int kNodes = 500, kThreads = 128;

__global__ void empty(int waits) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (waits) {
    cudaTriggerProgrammaticLaunchCompletion();
    cudaGridDependencySynchronize();
  }
#endif
}

void launch_all(cudaStream_t stream, int blocks, bool dependent) {
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = dependent ? 1 : 0;
  for (int node = 0; node < kNodes; ++node) CHECK(cudaLaunchKernelEx(&config, empty, dependent ? 1 : 0));
}

void print(const char* way, int blocks, float ms) {
  std::printf("{\"probe\": \"graph_gap\", \"way\": \"%s\", \"blocks\": %d, \"us_per_kernel\": %.4f}\n", way, blocks,
              ms * 1e3 / kNodes);
  std::fflush(stdout);
}

void measure_graph(cudaStream_t stream, int blocks, bool dependent) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  launch_all(stream, blocks, dependent);
  CHECK(cudaStreamEndCapture(stream, &graph));
  CHECK(cudaGraphInstantiate(&executable, graph, 0));
  probe::Timer timer(stream);
  const float ms = probe::median_ms([&] {
    timer.start();
    CHECK(cudaGraphLaunch(executable, stream));
    return timer.stop();
  });
  print(dependent ? "graph_programmatic" : "graph", blocks, ms);
  CHECK(cudaGraphExecDestroy(executable));
  CHECK(cudaGraphDestroy(graph));
}

}  // namespace

int main() {
  const cudaDeviceProp properties = probe::device("graph_gap");
  cudaStream_t stream;
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  for (const int blocks : {1, properties.multiProcessorCount}) {
    probe::Timer timer(stream);
    print("stream", blocks, probe::median_ms([&] {
            timer.start();
            launch_all(stream, blocks, false);
            return timer.stop();
          }));
    measure_graph(stream, blocks, false);
    if (properties.major >= 9) measure_graph(stream, blocks, true);
  }
  CHECK(cudaStreamDestroy(stream));
  return 0;
}
