/*===- opencl.c - Devices of OpenCL ---------------------------------------------===*\
 *
 * Memory is shared virtual memory (OpenCL 2.0, coarse-grained buffers), since kernels
 * are handed addresses within what was allocated. OpenCL's library is looked for when a
 * model is made.
 *
 * Source: OpenCL 3.0 API specification, Khronos.
 *
\*===----------------------------------------------------------------------===*/

#include "device.h"
#include "internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*--- The library's functions -----------------------------------------------*/

typedef int32_t cl_result; /* 0: no error */
typedef void *cl_handle;   /* of a platform, device, context, queue, program or kernel */
typedef uint64_t cl_bits;

enum {
  CL_NO_DEVICE = -1,
  CL_ALLOCATION_FAILED = -4,
  CL_OUT_OF_RESOURCES = -5,
  CL_OUT_OF_HOST_MEMORY = -6,
  CL_TYPE_ALL = -1,
  CL_DEVICE_NAME = 0x102B,
  CL_DEVICE_SVM_CAPABILITIES = 0x1053,
  CL_SVM_COARSE_GRAIN_BUFFER = 1,
  CL_SVM_READ_WRITE = 1,
  CL_BUILD_LOG = 0x1183
};

#define NNC_OPENCL_FUNCTIONS(X)                                                                                        \
  X(cl_result, clGetPlatformIDs, (uint32_t room, cl_handle *out_platforms, uint32_t *out_count))                       \
  X(cl_result, clGetDeviceIDs,                                                                                         \
    (cl_handle platform, cl_bits type, uint32_t room, cl_handle *out_devices, uint32_t *out_count))                    \
  X(cl_result, clGetDeviceInfo, (cl_handle device, uint32_t what, size_t size, void *out_value, size_t *out_size))     \
  X(cl_handle, clCreateContext,                                                                                        \
    (const intptr_t *properties, uint32_t count, const cl_handle *devices, void *notify, void *user, cl_result *out))  \
  X(cl_result, clReleaseContext, (cl_handle context))                                                                  \
  X(cl_handle, clCreateCommandQueueWithProperties,                                                                     \
    (cl_handle context, cl_handle device, const cl_bits *properties, cl_result *out))                                  \
  X(cl_result, clReleaseCommandQueue, (cl_handle queue))                                                               \
  X(cl_result, clFinish, (cl_handle queue))                                                                            \
  X(void *, clSVMAlloc, (cl_handle context, cl_bits flags, size_t size, uint32_t alignment))                           \
  X(void, clSVMFree, (cl_handle context, void *memory))                                                                \
  X(cl_result, clEnqueueSVMMemcpy,                                                                                     \
    (cl_handle queue, uint32_t blocking, void *to, const void *from, size_t size, uint32_t count,                      \
     const cl_handle *events, cl_handle *out_event))                                                                   \
  X(cl_result, clEnqueueSVMMemFill,                                                                                    \
    (cl_handle queue, void *to, const void *pattern, size_t pattern_size, size_t size, uint32_t count,                 \
     const cl_handle *events, cl_handle *out_event))                                                                   \
  X(cl_handle, clCreateProgramWithSource,                                                                              \
    (cl_handle context, uint32_t count, const char **texts, const size_t *lengths, cl_result *out))                    \
  X(cl_result, clBuildProgram,                                                                                         \
    (cl_handle program, uint32_t count, const cl_handle *devices, const char *options, void *notify, void *user))      \
  X(cl_result, clGetProgramBuildInfo,                                                                                  \
    (cl_handle program, cl_handle device, uint32_t what, size_t size, void *out_value, size_t *out_size))              \
  X(cl_result, clReleaseProgram, (cl_handle program))                                                                  \
  X(cl_handle, clCreateKernel, (cl_handle program, const char *name, cl_result *out))                                  \
  X(cl_result, clReleaseKernel, (cl_handle kernel))                                                                    \
  X(cl_result, clSetKernelArg, (cl_handle kernel, uint32_t index, size_t size, const void *value))                     \
  X(cl_result, clSetKernelArgSVMPointer, (cl_handle kernel, uint32_t index, const void *pointer))                      \
  X(cl_result, clEnqueueNDRangeKernel,                                                                                 \
    (cl_handle queue, cl_handle kernel, uint32_t dims, const size_t *offset, const size_t *global,                     \
     const size_t *local, uint32_t count, const cl_handle *events, cl_handle *out_event))

#define NNC_OPENCL_POINTER(type, name, parameters) static type(*name) parameters;
NNC_OPENCL_FUNCTIONS(NNC_OPENCL_POINTER)

/** What is known of an open device. */
typedef struct nnc_opencl {
  cl_handle device, context;
} nnc_opencl;

static nnc_opencl *nnc_opencl_of(const nnc_device *device) { return device->state; }

static nnc_status nnc_opencl_check(nnc_queue *queue, cl_result result, const char *what) {
  if (result == 0)
    return NNC_OK;
  bool no_memory = result == CL_ALLOCATION_FAILED || result == CL_OUT_OF_HOST_MEMORY;
  return nnc_queue_fail(queue, no_memory ? NNC_OUT_OF_MEMORY : NNC_DEVICE_ERROR, "%s: %s: OpenCL error %d",
                        queue->device->name, what, (int)result);
}

/** Finds the library, once a process. Called with all devices locked. */
static nnc_status nnc_opencl_find_library(char *message) {
  static bool is_found;
  if (is_found)
    return NNC_OK;
  void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    library = dlopen("libOpenCL.so", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return nnc_fail(message, NNC_UNSUPPORTED, "there is no OpenCL: libOpenCL.so.1 is not found");
#define NNC_OPENCL_FIND(type, name, parameters)                                                                        \
  *(void **)&name = dlsym(library, #name);                                                                             \
  if (!name) {                                                                                                         \
    dlclose(library);                                                                                                  \
    return nnc_fail(message, NNC_UNSUPPORTED, "the OpenCL library is too old: it has no %s", #name);                   \
  }
  NNC_OPENCL_FUNCTIONS(NNC_OPENCL_FIND)
  is_found = true;
  return NNC_OK;
}

/*--- Devices ---------------------------------------------------------------*/

#define NNC_MAX_PLATFORMS 16

/** Device number `index`, counted over all platforms; their number when there are fewer. */
static uint32_t nnc_opencl_find_device(uint32_t index, cl_handle *out_device) {
  cl_handle platforms[NNC_MAX_PLATFORMS], devices[NNC_MAX_PLATFORMS];
  uint32_t platform_count = 0, seen = 0;
  if (clGetPlatformIDs(NNC_MAX_PLATFORMS, platforms, &platform_count) != 0)
    return 0;
  for (uint32_t i = 0; i < platform_count && i < NNC_MAX_PLATFORMS; ++i) {
    uint32_t count = 0;
    if (clGetDeviceIDs(platforms[i], (uint32_t)CL_TYPE_ALL, NNC_MAX_PLATFORMS, devices, &count) != 0)
      continue;
    if (index >= seen && index < seen + count)
      *out_device = devices[index - seen];
    seen += count;
  }
  return seen;
}

static nnc_status nnc_opencl_open(nnc_device *device, char *message) {
  nnc_status status = nnc_opencl_find_library(message);
  if (status != NNC_OK)
    return status;
  cl_handle found = NULL;
  uint32_t count = nnc_opencl_find_device((uint32_t)device->index, &found);
  if (count == 0)
    return nnc_fail(message, NNC_UNSUPPORTED, "OpenCL finds no device");
  if (!found)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "options->device is %d, but there are %u OpenCL devices",
                    device->index, (unsigned)count);
  if (clGetDeviceInfo(found, CL_DEVICE_NAME, sizeof device->name - 1, device->name, NULL) != 0)
    snprintf(device->name, sizeof device->name, "OpenCL device %d", device->index);
  cl_bits shared = 0;
  if (clGetDeviceInfo(found, CL_DEVICE_SVM_CAPABILITIES, sizeof shared, &shared, NULL) != 0 ||
      !(shared & CL_SVM_COARSE_GRAIN_BUFFER))
    return nnc_fail(message, NNC_UNSUPPORTED, "%s has no shared virtual memory, which is needed", device->name);
  nnc_opencl *opencl = calloc(1, sizeof *opencl);
  if (!opencl)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "a device needs %zu bytes", sizeof *opencl);
  cl_result result;
  opencl->device = found;
  opencl->context = clCreateContext(NULL, 1, &found, NULL, NULL, &result);
  if (result != 0) {
    free(opencl);
    return nnc_fail(message, NNC_DEVICE_ERROR, "%s cannot be used: OpenCL error %d", device->name, (int)result);
  }
  device->state = opencl;
  return NNC_OK;
}

static void nnc_opencl_close(nnc_device *device) {
  clReleaseContext(nnc_opencl_of(device)->context);
  free(device->state);
  device->state = NULL;
}

static nnc_status nnc_opencl_enter(nnc_device *device, char *message) {
  (void)device, (void)message; /* contexts are named in each call */
  return NNC_OK;
}

static void nnc_opencl_leave(nnc_device *device) { (void)device; }

/*--- Queues and memory -----------------------------------------------------*/

static nnc_status nnc_opencl_create_stream(nnc_queue *queue) {
  const nnc_opencl *opencl = nnc_opencl_of(queue->device);
  cl_result result;
  queue->stream = clCreateCommandQueueWithProperties(opencl->context, opencl->device, NULL, &result);
  return nnc_opencl_check(queue, result, "making a queue");
}

static void nnc_opencl_destroy_stream(nnc_queue *queue) { clReleaseCommandQueue(queue->stream); }

static nnc_status nnc_opencl_finish(nnc_queue *queue) {
  return nnc_opencl_check(queue, clFinish(queue->stream), "running kernels");
}

static void *nnc_opencl_allocate(nnc_device *device, size_t size) {
  return clSVMAlloc(nnc_opencl_of(device)->context, CL_SVM_READ_WRITE, size, 0);
}

static void nnc_opencl_release(nnc_device *device, void *memory) {
  if (memory)
    clSVMFree(nnc_opencl_of(device)->context, memory);
}

static void *nnc_opencl_allocate_host(nnc_device *device, size_t size) {
  (void)device;
  return malloc(size);
}

static void nnc_opencl_release_host(nnc_device *device, void *memory) {
  (void)device;
  free(memory);
}

static nnc_status nnc_opencl_copy(nnc_queue *queue, void *to, const void *from, size_t size) {
  /* Which of the two is the host's is not known here, and it may change after the call. */
  return nnc_opencl_check(queue, clEnqueueSVMMemcpy(queue->stream, 1, to, from, size, 0, NULL, NULL), "copying");
}

static nnc_status nnc_opencl_fill(nnc_queue *queue, void *to, int value, size_t size) {
  char byte = (char)value;
  return nnc_opencl_check(queue, clEnqueueSVMMemFill(queue->stream, to, &byte, 1, size, 0, NULL, NULL),
                          "filling memory");
}

/*--- Kernels ---------------------------------------------------------------*/

static nnc_status nnc_opencl_load(nnc_queue *queue, nnc_device_module *module, const char *code, size_t size) {
  const nnc_opencl *opencl = nnc_opencl_of(queue->device);
  cl_result result;
  while (size > 0 && code[size - 1] == 0)
    --size;
  cl_handle program = clCreateProgramWithSource(opencl->context, 1, &code, &size, &result);
  if (result != 0)
    return nnc_opencl_check(queue, result, "loading kernels");
  result = clBuildProgram(program, 1, &opencl->device, "-cl-std=CL1.2", NULL, NULL);
  if (result != 0) {
    char log[160] = "";
    clGetProgramBuildInfo(program, opencl->device, CL_BUILD_LOG, sizeof log - 1, log, NULL);
    nnc_opencl_check(queue, result, *log ? log : "compiling kernels");
    clReleaseProgram(program);
    return queue->status;
  }
  module->code = program;
  return NNC_OK;
}

static void nnc_opencl_unload(nnc_device_module *module) { clReleaseProgram(module->code); }

static nnc_status nnc_opencl_get_function(nnc_queue *queue, nnc_device_module *module, const char *name,
                                          void **out_function) {
  cl_result result;
  *out_function = clCreateKernel(module->code, name, &result);
  return nnc_opencl_check(queue, result, name);
}

static void nnc_opencl_release_function(void *function) { clReleaseKernel(function); }

static nnc_status nnc_opencl_launch(nnc_queue *queue, void *function, const nnc_launch *launch) {
  cl_result result = 0;
  for (int i = 0; i < launch->count && result == 0; ++i)
    result = launch->is_buffer[i] ? clSetKernelArgSVMPointer(function, (uint32_t)i, *(void **)launch->values[i])
                                  : clSetKernelArg(function, (uint32_t)i, launch->sizes[i], launch->values[i]);
  /* Halide's kernels take their shared memory last, even when they have none. */
  if (result == 0)
    result = clSetKernelArg(function, (uint32_t)launch->count, launch->shared_bytes ? launch->shared_bytes : 1, NULL);
  size_t global[3];
  for (int i = 0; i < 3; ++i)
    global[i] = launch->blocks[i] * launch->threads[i];
  if (result == 0)
    result = clEnqueueNDRangeKernel(queue->stream, function, 3, NULL, global, launch->threads, 0, NULL, NULL);
  return nnc_opencl_check(queue, result, "launching a kernel");
}

const nnc_device_api nnc_opencl_api = {
    .name = "OpenCL",
    .open = nnc_opencl_open,
    .close = nnc_opencl_close,
    .enter = nnc_opencl_enter,
    .leave = nnc_opencl_leave,
    .create_stream = nnc_opencl_create_stream,
    .destroy_stream = nnc_opencl_destroy_stream,
    .finish = nnc_opencl_finish,
    .allocate = nnc_opencl_allocate,
    .release = nnc_opencl_release,
    .allocate_host = nnc_opencl_allocate_host,
    .release_host = nnc_opencl_release_host,
    .copy = nnc_opencl_copy,
    .fill = nnc_opencl_fill,
    .load = nnc_opencl_load,
    .unload = nnc_opencl_unload,
    .get_function = nnc_opencl_get_function,
    .release_function = nnc_opencl_release_function,
    .launch = nnc_opencl_launch,
};
