//===- FakeCuda.h - A driver that does what a test says -------------------===//
//
// A libcuda.so.1 whose device is the host's memory. Kernels do nothing. A function fails
// where a test asks for it, with an error of the driver's own number and text.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TEST_UNIT_DEVICE_FAKECUDA_H
#define NNC_TEST_UNIT_DEVICE_FAKECUDA_H

#include <map>
#include <string>
#include <vector>

namespace nnc::test {

/// The driver's errors that tests ask for.
enum CudaError {
  OutOfMemory = 2,
  NotInitialized = 3,
  NoDevice = 100,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  IllegalAddress = 700,
  LaunchFailed = 719
};

struct FakeCuda {
  int devices = 1;
  std::map<std::string, int> errors; ///< that functions give, by their names
  std::map<std::string, int> calls;  ///< how often each was called
  std::string log;                   ///< of loading a module
  bool captures = false;             ///< work goes to a graph
  int streams = 0, events = 0;       ///< that were made and are there
  std::vector<std::string> work;     ///< that was captured: "1 runs", "1 marks 2", "3 waits for 2"
};

/// The driver of this process.
FakeCuda &getFakeCuda();

} // namespace nnc::test

#endif // NNC_TEST_UNIT_DEVICE_FAKECUDA_H
