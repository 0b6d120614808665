//===- Device.h - Where kernels run ---------------------------------------===//

#ifndef NNC_TARGETS_DEVICE_H
#define NNC_TARGETS_DEVICE_H

namespace nnc::targets {

/// Where kernels run, and the values that they work on lie: a device has a memory of
/// its own.
enum class Device { Host, Cuda, OpenCL };

} // namespace nnc::targets

#endif // NNC_TARGETS_DEVICE_H
