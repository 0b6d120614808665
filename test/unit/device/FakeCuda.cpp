//===- FakeCuda.cpp - A driver that does what a test says -----------------===//

#include "FakeCuda.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace nnc::test;

FakeCuda &nnc::test::getFakeCuda() {
  static FakeCuda driver;
  return driver;
}

/// Notes a call; the error that the test asks for.
static int call(const char *name) {
  FakeCuda &driver = getFakeCuda();
  ++driver.calls[name];
  auto error = driver.errors.find(name);
  return error == driver.errors.end() ? 0 : error->second;
}

static void *const handle = &getFakeCuda(); // of whatever is made

extern "C" {

#define PLAIN(name, parameters)                                                                                        \
  int name parameters { return call(#name); }
#define MAKES(name, parameters, out)                                                                                   \
  int name parameters {                                                                                                \
    *out = handle;                                                                                                     \
    return call(#name);                                                                                                \
  }

PLAIN(cuInit, (unsigned))
PLAIN(cuDevicePrimaryCtxRelease_v2, (int))
PLAIN(cuCtxPushCurrent_v2, (void *))
MAKES(cuCtxPopCurrent_v2, (void **out), out)
MAKES(cuDevicePrimaryCtxRetain, (void **out, int), out)
PLAIN(cuModuleUnload, (void *))
MAKES(cuModuleGetFunction, (void **out, void *, const char *), out)
PLAIN(cuFuncSetAttribute, (void *, int, int))
PLAIN(cuGraphLaunch, (void *, void *))
MAKES(cuGraphInstantiateWithFlags, (void **out, void *, unsigned long long), out)
PLAIN(cuGraphDestroy, (void *))
PLAIN(cuGraphExecDestroy, (void *))

// Streams and events are numbers, from 1 on.
int cuStreamCreate(void **out, unsigned) {
  int error = call("cuStreamCreate");
  *out = error ? nullptr : reinterpret_cast<void *>(static_cast<uintptr_t>(++getFakeCuda().streams));
  return error;
}

int cuStreamDestroy_v2(void *) {
  --getFakeCuda().streams;
  return call("cuStreamDestroy_v2");
}

int cuEventCreate(void **out, unsigned) {
  int error = call("cuEventCreate");
  *out = error ? nullptr : reinterpret_cast<void *>(static_cast<uintptr_t>(++getFakeCuda().events));
  return error;
}

int cuEventDestroy_v2(void *) {
  --getFakeCuda().events;
  return call("cuEventDestroy_v2");
}

/// Notes what a stream does, where it is captured.
static int work(const char *name, void *stream, const std::string &what) {
  if (getFakeCuda().captures)
    getFakeCuda().work.push_back(std::to_string(reinterpret_cast<uintptr_t>(stream)) + " " + what);
  return call(name);
}

int cuEventRecord(void *event, void *stream) {
  return work("cuEventRecord", stream, "marks " + std::to_string(reinterpret_cast<uintptr_t>(event)));
}

int cuStreamWaitEvent(void *stream, void *event, unsigned) {
  return work("cuStreamWaitEvent", stream, "waits for " + std::to_string(reinterpret_cast<uintptr_t>(event)));
}

int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *stream, void **,
                   void **) {
  return work("cuLaunchKernel", stream, "runs");
}

int cuStreamSynchronize(void *) {
  return getFakeCuda().captures ? 900 : call("cuStreamSynchronize"); // a stream that is captured cannot be waited for
}

int cuStreamBeginCapture_v2(void *, int) {
  getFakeCuda().captures = true;
  return call("cuStreamBeginCapture_v2");
}

int cuStreamEndCapture(void *, void **out) {
  getFakeCuda().captures = false;
  *out = handle;
  return call("cuStreamEndCapture");
}

int cuGetErrorName(int, const char **out) {
  *out = "CUDA_ERROR";
  return 0;
}

int cuGetErrorString(int error, const char **out) {
  static const std::map<int, const char *> texts = {
      {OutOfMemory, "out of memory"},
      {NotInitialized, "initialization error"},
      {NoDevice, "no CUDA-capable device is detected"},
      {NoBinaryForGpu, "no kernel image is available for execution on the device"},
      {InvalidPtx, "a PTX JIT compilation failed"},
      {IllegalAddress, "an illegal memory access was encountered"},
      {LaunchFailed, "unspecified launch failure"}};
  auto text = texts.find(error);
  *out = text == texts.end() ? nullptr : text->second;
  return text == texts.end();
}

int cuDeviceGetCount(int *out) {
  *out = getFakeCuda().devices;
  return call("cuDeviceGetCount");
}

int cuDeviceGet(int *out, int index) {
  *out = index;
  return call("cuDeviceGet");
}

int cuDeviceGetName(char *out, int size, int) {
  std::snprintf(out, size, "Fake GPU");
  return call("cuDeviceGetName");
}

int cuDeviceGetAttribute(int *out, int attribute, int) {
  *out = attribute == 75 ? 7 : 2; // the capability's major and minor number
  return call("cuDeviceGetAttribute");
}

int cuMemAlloc_v2(unsigned long long *out, size_t size) {
  int error = call("cuMemAlloc_v2");
  *out = error ? 0 : reinterpret_cast<uintptr_t>(std::calloc(1, size));
  return error;
}

int cuMemFree_v2(unsigned long long pointer) {
  std::free(reinterpret_cast<void *>(pointer));
  return call("cuMemFree_v2");
}

int cuMemAllocHost_v2(void **out, size_t size) {
  int error = call("cuMemAllocHost_v2");
  *out = error ? nullptr : std::calloc(1, size);
  return error;
}

int cuMemFreeHost(void *pointer) {
  std::free(pointer);
  return call("cuMemFreeHost");
}

int cuPointerGetAttributes(unsigned, int *, void **, unsigned long long) { return 1; } // memory of the host

int cuMemcpyAsync(unsigned long long to, unsigned long long from, size_t size, void *) {
  int error = call("cuMemcpyAsync");
  if (!error && !getFakeCuda().captures)
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), size);
  return error;
}

int cuMemsetD8Async(unsigned long long to, unsigned char value, size_t size, void *) {
  int error = call("cuMemsetD8Async");
  if (!error && !getFakeCuda().captures)
    std::memset(reinterpret_cast<void *>(to), value, size);
  return error;
}

int cuModuleLoadDataEx(void **out, const void *, unsigned count, int *options, void **values) {
  for (unsigned i = 0; i < count; ++i)
    if (options[i] == 5) // where the log of errors goes
      std::strcpy(static_cast<char *>(values[i]), getFakeCuda().log.c_str());
  *out = handle;
  return call("cuModuleLoadDataEx");
}
}
