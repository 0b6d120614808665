/*===- cuda.c - NVIDIA's GPUs, through the driver ------------------------------===*\
 *
 * The driver's library is looked for when a model is made, so that a program that
 * links a library for CUDA starts on a machine without one. Work is in the device's
 * primary context, which frameworks share.
 *
 * Source: CUDA driver API, version 11.0 on.
 *
\*===----------------------------------------------------------------------===*/

#include "device.h"
#include "internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*--- The driver's functions ------------------------------------------------*/

typedef int cu_result; /* 0: no error */
typedef int cu_device;
typedef void *cu_handle; /* of a context, stream, module, function or graph */
typedef unsigned long long cu_pointer;

enum {
  CU_OUT_OF_MEMORY = 2,
  CU_NO_DEVICE = 100,
  CU_NO_BINARY_FOR_GPU = 209,
  CU_INVALID_PTX = 218,
  CU_UNSUPPORTED_PTX_VERSION = 222,
  CU_STREAM_NON_BLOCKING = 1,
  CU_EVENT_DISABLE_TIMING = 2,
  CU_CAPTURE_THREAD_LOCAL = 1,
  CU_FUNC_MAX_DYNAMIC_SHARED = 8,
  CU_MAJOR = 75,
  CU_MINOR = 76,
  CU_POINTER_MEMORY_TYPE = 2,
  CU_MEMORY_ON_DEVICE = 2,
  CU_JIT_ERROR_LOG = 5,
  CU_JIT_ERROR_LOG_SIZE = 6
};

/** The most shared memory that a kernel has without asking for more. */
#define NNC_CUDA_SHARED_BYTES (48u << 10)

#define NNC_CUDA_FUNCTIONS(X)                                                                                          \
  X(cuInit, "cuInit", (unsigned flags))                                                                                \
  X(cuGetErrorName, "cuGetErrorName", (cu_result error, const char **out_name))                                        \
  X(cuGetErrorString, "cuGetErrorString", (cu_result error, const char **out_text))                                    \
  X(cuDeviceGetCount, "cuDeviceGetCount", (int *out_count))                                                            \
  X(cuDeviceGet, "cuDeviceGet", (cu_device * out_device, int index))                                                   \
  X(cuDeviceGetName, "cuDeviceGetName", (char *out_name, int size, cu_device device))                                  \
  X(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int *out_value, int attribute, cu_device device))                   \
  X(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (cu_handle * out_context, cu_device device))                 \
  X(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (cu_device device))                                     \
  X(cuCtxPushCurrent, "cuCtxPushCurrent_v2", (cu_handle context))                                                      \
  X(cuCtxPopCurrent, "cuCtxPopCurrent_v2", (cu_handle * out_context))                                                  \
  X(cuStreamCreate, "cuStreamCreate", (cu_handle * out_stream, unsigned flags))                                        \
  X(cuStreamDestroy, "cuStreamDestroy_v2", (cu_handle stream))                                                         \
  X(cuStreamSynchronize, "cuStreamSynchronize", (cu_handle stream))                                                    \
  X(cuStreamWaitEvent, "cuStreamWaitEvent", (cu_handle stream, cu_handle event, unsigned flags))                       \
  X(cuEventCreate, "cuEventCreate", (cu_handle * out_event, unsigned flags))                                           \
  X(cuEventRecord, "cuEventRecord", (cu_handle event, cu_handle stream))                                               \
  X(cuEventDestroy, "cuEventDestroy_v2", (cu_handle event))                                                            \
  X(cuMemAlloc, "cuMemAlloc_v2", (cu_pointer * out_pointer, size_t size))                                              \
  X(cuMemFree, "cuMemFree_v2", (cu_pointer pointer))                                                                   \
  X(cuMemAllocHost, "cuMemAllocHost_v2", (void **out_pointer, size_t size))                                            \
  X(cuMemFreeHost, "cuMemFreeHost", (void *pointer))                                                                   \
  X(cuPointerGetAttributes, "cuPointerGetAttributes",                                                                  \
    (unsigned count, int *attributes, void **out_values, cu_pointer pointer))                                          \
  X(cuMemcpyAsync, "cuMemcpyAsync", (cu_pointer to, cu_pointer from, size_t size, cu_handle stream))                   \
  X(cuMemsetD8Async, "cuMemsetD8Async", (cu_pointer to, unsigned char value, size_t size, cu_handle stream))           \
  X(cuModuleLoadDataEx, "cuModuleLoadDataEx",                                                                          \
    (cu_handle * out_module, const void *image, unsigned count, int *options, void **values))                          \
  X(cuModuleUnload, "cuModuleUnload", (cu_handle module))                                                              \
  X(cuModuleGetFunction, "cuModuleGetFunction", (cu_handle * out_function, cu_handle module, const char *name))        \
  X(cuFuncSetAttribute, "cuFuncSetAttribute", (cu_handle function, int attribute, int value))                          \
  X(cuLaunchKernel, "cuLaunchKernel",                                                                                  \
    (cu_handle function, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,                  \
     unsigned threads_y, unsigned threads_z, unsigned shared_bytes, cu_handle stream, void **parameters,               \
     void **extra))                                                                                                    \
  X(cuStreamBeginCapture, "cuStreamBeginCapture_v2", (cu_handle stream, int mode))                                     \
  X(cuStreamEndCapture, "cuStreamEndCapture", (cu_handle stream, cu_handle * out_graph))                               \
  X(cuGraphInstantiate, "cuGraphInstantiateWithFlags",                                                                 \
    (cu_handle * out_graph, cu_handle graph, unsigned long long flags))                                                \
  X(cuGraphLaunch, "cuGraphLaunch", (cu_handle graph, cu_handle stream))                                               \
  X(cuGraphDestroy, "cuGraphDestroy", (cu_handle graph))                                                               \
  X(cuGraphExecDestroy, "cuGraphExecDestroy", (cu_handle graph))

#define NNC_CUDA_POINTER(name, symbol, parameters) static cu_result(*name) parameters;
NNC_CUDA_FUNCTIONS(NNC_CUDA_POINTER)

/** What is known of an open device. */
typedef struct nnc_cuda {
  cu_device device;
  cu_handle context;
} nnc_cuda;

static const char *nnc_cuda_text(cu_result error) {
  const char *text = NULL;
  return cuGetErrorString && cuGetErrorString(error, &text) == 0 && text ? text : "unknown error";
}

/** A result of the driver as a status of the queue. */
static nnc_status nnc_cuda_check(nnc_queue *queue, cu_result result, const char *what) {
  if (result == 0)
    return NNC_OK;
  nnc_status status = result == CU_OUT_OF_MEMORY ? NNC_OUT_OF_MEMORY : NNC_DEVICE_ERROR;
  return nnc_queue_fail(queue, status, "%s: %s: %s", queue->device->name, what, nnc_cuda_text(result));
}

/** Finds the driver, once a process. Called with all devices locked. */
static nnc_status nnc_cuda_find_driver(char *message) {
  static bool is_found;
  if (is_found)
    return NNC_OK;
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    library = dlopen("libcuda.so", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return nnc_fail(message, NNC_UNSUPPORTED, "there is no CUDA driver: neither libcuda.so.1 nor libcuda.so is found");
#define NNC_CUDA_FIND(name, symbol, parameters)                                                                        \
  *(void **)&name = dlsym(library, symbol);                                                                            \
  if (!name) {                                                                                                         \
    dlclose(library);                                                                                                  \
    return nnc_fail(message, NNC_UNSUPPORTED, "the CUDA driver is too old: it has no %s", symbol);                     \
  }
  NNC_CUDA_FUNCTIONS(NNC_CUDA_FIND)
  cu_result result = cuInit(0);
  if (result != 0) {
    dlclose(library);
    return nnc_fail(message, NNC_UNSUPPORTED, "the CUDA driver cannot be used: %s", nnc_cuda_text(result));
  }
  is_found = true;
  return NNC_OK;
}

/*--- Devices ---------------------------------------------------------------*/

static nnc_status nnc_cuda_open(nnc_device *device, char *message) {
  nnc_status status = nnc_cuda_find_driver(message);
  if (status != NNC_OK)
    return status;
  int count = 0;
  cu_result result = cuDeviceGetCount(&count);
  if (result != 0 || count == 0)
    return nnc_fail(message, NNC_UNSUPPORTED, "the CUDA driver finds no device%s%s", result ? ": " : "",
                    result ? nnc_cuda_text(result) : "");
  if (device->index >= count)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "options->device is %d, but there are %d CUDA devices",
                    device->index, count);
  nnc_cuda *cuda = calloc(1, sizeof *cuda);
  if (!cuda)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "a device needs %zu bytes", sizeof *cuda);
  result = cuDeviceGet(&cuda->device, device->index);
  if (result == 0)
    result = cuDeviceGetName(device->name, sizeof device->name, cuda->device);
  if (result == 0)
    result = cuDevicePrimaryCtxRetain(&cuda->context, cuda->device);
  if (result != 0) {
    free(cuda);
    return nnc_fail(message, result == CU_OUT_OF_MEMORY ? NNC_OUT_OF_MEMORY : NNC_DEVICE_ERROR,
                    "CUDA device %d cannot be used: %s", device->index, nnc_cuda_text(result));
  }
  device->state = cuda;
  return NNC_OK;
}

static void nnc_cuda_close(nnc_device *device) {
  nnc_cuda *cuda = device->state;
  cuDevicePrimaryCtxRelease(cuda->device);
  free(cuda);
  device->state = NULL;
}

static nnc_status nnc_cuda_enter(nnc_device *device, char *message) {
  cu_result result = cuCtxPushCurrent(((nnc_cuda *)device->state)->context);
  return result == 0 ? NNC_OK : nnc_fail(message, NNC_DEVICE_ERROR, "%s: %s", device->name, nnc_cuda_text(result));
}

static void nnc_cuda_leave(nnc_device *device) {
  (void)device;
  cu_handle context;
  cuCtxPopCurrent(&context);
}

/*--- Queues ----------------------------------------------------------------*/

static nnc_status nnc_cuda_create_stream(nnc_queue *queue) {
  return nnc_cuda_check(queue, cuStreamCreate(&queue->stream, CU_STREAM_NON_BLOCKING), "making a stream");
}

static void nnc_cuda_destroy_stream(nnc_queue *queue) { cuStreamDestroy(queue->stream); }

/** Streams beside a queue's own, and events. */
typedef struct nnc_cuda_branches {
  cu_handle streams[NNC_MAX_BRANCHES]; /* the first is the queue's own */
  cu_handle *marks;                    /* by their numbers */
  int32_t mark_count;
} nnc_cuda_branches;

static void nnc_cuda_destroy_branches(nnc_queue *queue) {
  nnc_cuda_branches *branches = queue->branches;
  for (int32_t branch = 1; branch < NNC_MAX_BRANCHES; ++branch)
    if (branches->streams[branch])
      cuStreamDestroy(branches->streams[branch]);
  for (int32_t mark = 0; mark < branches->mark_count; ++mark)
    if (branches->marks[mark])
      cuEventDestroy(branches->marks[mark]);
  free(branches->marks);
  free(branches);
  queue->branches = NULL;
}

static void nnc_cuda_make_branches(nnc_queue *queue) {
  nnc_cuda_branches *branches = queue->branches = calloc(1, sizeof *branches);
  if (!branches)
    return;
  branches->streams[0] = queue->stream;
  cu_result result = 0;
  for (int32_t branch = 1; branch < NNC_MAX_BRANCHES && result == 0; ++branch)
    result = cuStreamCreate(&branches->streams[branch], CU_STREAM_NON_BLOCKING);
  if (result != 0)
    nnc_cuda_destroy_branches(queue);
}

static void nnc_cuda_enter_branch(nnc_queue *queue, int32_t branch) {
  queue->stream = ((nnc_cuda_branches *)queue->branches)->streams[branch];
}

/** Makes room for the event of a mark. */
static nnc_status nnc_cuda_count_marks(nnc_queue *queue, nnc_cuda_branches *branches, int32_t count) {
  size_t size = (size_t)count * sizeof *branches->marks;
  cu_handle *marks = realloc(branches->marks, size);
  if (!marks)
    return nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "marks need %zu bytes", size);
  for (int32_t mark = branches->mark_count; mark < count; ++mark)
    marks[mark] = NULL;
  branches->marks = marks;
  branches->mark_count = count;
  return NNC_OK;
}

static nnc_status nnc_cuda_mark(nnc_queue *queue, int32_t number) {
  nnc_cuda_branches *branches = queue->branches;
  if (number >= branches->mark_count && nnc_cuda_count_marks(queue, branches, number + NNC_FIRST_MARK) != NNC_OK)
    return queue->status;
  cu_handle *mark = &branches->marks[number];
  cu_result result = *mark ? 0 : cuEventCreate(mark, CU_EVENT_DISABLE_TIMING);
  if (result == 0)
    result = cuEventRecord(*mark, queue->stream);
  return nnc_cuda_check(queue, result, "marking an event");
}

static nnc_status nnc_cuda_wait_for_mark(nnc_queue *queue, int32_t number) {
  nnc_cuda_branches *branches = queue->branches;
  if (queue->status != NNC_OK)
    return queue->status; /* the mark may be missing */
  return nnc_cuda_check(queue, cuStreamWaitEvent(queue->stream, branches->marks[number], 0), "waiting for an event");
}

static nnc_status nnc_cuda_finish(nnc_queue *queue) {
  return nnc_cuda_check(queue, cuStreamSynchronize(queue->stream), "running kernels");
}

/*--- Memory ----------------------------------------------------------------*/

static void *nnc_cuda_allocate(nnc_device *device, size_t size) {
  (void)device;
  cu_pointer pointer = 0;
  return cuMemAlloc(&pointer, size) == 0 ? (void *)(uintptr_t)pointer : NULL;
}

static void nnc_cuda_release(nnc_device *device, void *memory) {
  (void)device;
  cuMemFree((cu_pointer)(uintptr_t)memory);
}

static void *nnc_cuda_allocate_host(nnc_device *device, size_t size) {
  (void)device;
  void *memory = NULL;
  return cuMemAllocHost(&memory, size) == 0 ? memory : NULL;
}

static void nnc_cuda_release_host(nnc_device *device, void *memory) {
  (void)device;
  cuMemFreeHost(memory);
}

static bool nnc_cuda_has(const void *memory) {
  unsigned type = 0; /* stays so of memory that the driver does not know */
  int attribute = CU_POINTER_MEMORY_TYPE;
  void *value = &type;
  cu_result result = cuPointerGetAttributes(1, &attribute, &value, (cu_pointer)(uintptr_t)memory);
  return result == 0 && type == CU_MEMORY_ON_DEVICE;
}

static nnc_status nnc_cuda_copy(nnc_queue *queue, void *to, const void *from, size_t size) {
  cu_result result = cuMemcpyAsync((cu_pointer)(uintptr_t)to, (cu_pointer)(uintptr_t)from, size, queue->stream);
  return nnc_cuda_check(queue, result, "copying");
}

static nnc_status nnc_cuda_fill(nnc_queue *queue, void *to, int value, size_t size) {
  cu_result result = cuMemsetD8Async((cu_pointer)(uintptr_t)to, (unsigned char)value, size, queue->stream);
  return nnc_cuda_check(queue, result, "filling memory");
}

/*--- Kernels ---------------------------------------------------------------*/

/** Why code cannot be loaded, where it is this device that cannot run it. */
static nnc_status nnc_cuda_fail_load(nnc_queue *queue, cu_result result, const char *log) {
  if (result != CU_NO_BINARY_FOR_GPU && result != CU_INVALID_PTX && result != CU_UNSUPPORTED_PTX_VERSION)
    return nnc_cuda_check(queue, result, *log ? log : "loading kernels");
  int major = 0, minor = 0;
  cu_device device = ((nnc_cuda *)queue->device->state)->device;
  cuDeviceGetAttribute(&major, CU_MAJOR, device);
  cuDeviceGetAttribute(&minor, CU_MINOR, device);
  return nnc_queue_fail(queue, NNC_UNSUPPORTED, "%s: the library has no kernels for sm_%d%d: %s", queue->device->name,
                        major, minor, nnc_cuda_text(result));
}

static nnc_status nnc_cuda_load(nnc_queue *queue, nnc_device_module *module, const char *code, size_t size) {
  (void)size; /* PTX ends with a zero, and a binary says its size */
  char log[160] = "";
  int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_SIZE};
  void *values[] = {log, (void *)(uintptr_t)sizeof log};
  cu_result result = cuModuleLoadDataEx(&module->code, code, 2, options, values);
  return result == 0 ? NNC_OK : nnc_cuda_fail_load(queue, result, log);
}

static void nnc_cuda_unload(nnc_device_module *module) { cuModuleUnload(module->code); }

static nnc_status nnc_cuda_get_function(nnc_queue *queue, nnc_device_module *module, const char *name,
                                        void **out_function) {
  return nnc_cuda_check(queue, cuModuleGetFunction(out_function, module->code, name), name);
}

static nnc_status nnc_cuda_launch(nnc_queue *queue, void *function, const nnc_launch *launch) {
  cu_result result = 0;
  if (launch->shared_bytes > NNC_CUDA_SHARED_BYTES)
    result = cuFuncSetAttribute(function, CU_FUNC_MAX_DYNAMIC_SHARED, (int)launch->shared_bytes);
  if (result == 0)
    result =
        cuLaunchKernel(function, (unsigned)launch->blocks[0], (unsigned)launch->blocks[1], (unsigned)launch->blocks[2],
                       (unsigned)launch->threads[0], (unsigned)launch->threads[1], (unsigned)launch->threads[2],
                       (unsigned)launch->shared_bytes, queue->stream, launch->values, NULL);
  return nnc_cuda_check(queue, result, "launching a kernel");
}

/*--- Graphs ----------------------------------------------------------------*/

static nnc_status nnc_cuda_begin_graph(nnc_queue *queue) {
  return nnc_cuda_check(queue, cuStreamBeginCapture(queue->stream, CU_CAPTURE_THREAD_LOCAL), "recording a graph");
}

static nnc_status nnc_cuda_end_graph(nnc_queue *queue, void **out_graph) {
  cu_handle graph = NULL;
  *out_graph = NULL;
  cu_result result = cuStreamEndCapture(queue->stream, &graph);
  if (result == 0)
    result = cuGraphInstantiate(out_graph, graph, 0);
  if (graph)
    cuGraphDestroy(graph);
  return nnc_cuda_check(queue, result, "making a graph");
}

static nnc_status nnc_cuda_replay(nnc_queue *queue, void *graph) {
  return nnc_cuda_check(queue, cuGraphLaunch(graph, queue->stream), "launching a graph");
}

static void nnc_cuda_release_graph(nnc_queue *queue, void *graph) {
  (void)queue;
  cuGraphExecDestroy(graph);
}

const nnc_device_api nnc_cuda_api = {
    .name = "CUDA",
    .open = nnc_cuda_open,
    .close = nnc_cuda_close,
    .enter = nnc_cuda_enter,
    .leave = nnc_cuda_leave,
    .create_stream = nnc_cuda_create_stream,
    .destroy_stream = nnc_cuda_destroy_stream,
    .finish = nnc_cuda_finish,
    .allocate = nnc_cuda_allocate,
    .release = nnc_cuda_release,
    .allocate_host = nnc_cuda_allocate_host,
    .release_host = nnc_cuda_release_host,
    .has = nnc_cuda_has,
    .copy = nnc_cuda_copy,
    .fill = nnc_cuda_fill,
    .load = nnc_cuda_load,
    .unload = nnc_cuda_unload,
    .get_function = nnc_cuda_get_function,
    .launch = nnc_cuda_launch,
    .begin_graph = nnc_cuda_begin_graph,
    .end_graph = nnc_cuda_end_graph,
    .replay = nnc_cuda_replay,
    .release_graph = nnc_cuda_release_graph,
    .make_branches = nnc_cuda_make_branches,
    .enter_branch = nnc_cuda_enter_branch,
    .mark = nnc_cuda_mark,
    .wait_for_mark = nnc_cuda_wait_for_mark,
    .destroy_branches = nnc_cuda_destroy_branches,
};
