/*===- device.h - Devices with a memory of their own --------------------------===*\
 *
 * A network for CUDA or OpenCL runs its kernels on a device. This file is what the
 * rest of the runtime knows of one; cuda.c and opencl.c each fill in an nnc_device_api.
 *
 * Addresses on a device are pointers that the host must not follow, but may count
 * with: kernels are handed any address within what was allocated.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_DEVICE_H
#define NNC_DEVICE_H

#include "nnc/network.h"

#include <pthread.h>
#include <stdbool.h>

#define NNC_DEVICE_MESSAGE_SIZE 256

typedef struct nnc_device_api nnc_device_api;

/** A device that models share. */
typedef struct nnc_device {
  const nnc_device_api *api;
  int index;
  int models; /**< that use it */
  char name[128];
  void *state;          /**< of the api */
  pthread_mutex_t lock; /**< held while a kernel is found and launched */
} nnc_device;

/** Work in order on a device. */
typedef struct nnc_queue {
  nnc_device *device;
  void *stream;      /**< of the api */
  bool owns_stream;  /**< else it is the caller's */
  nnc_status status; /**< the first failure since it was last taken */
  char message[NNC_DEVICE_MESSAGE_SIZE];
  struct nnc_scratch *scratch; /**< blocks for values within kernels' pipelines */
  int32_t *steps;              /**< on the device: 0, 1, 2, … */
  int64_t step_count;
  struct nnc_scratch *flags; /**< of steps that were not looked at yet, one step's after the other's */
  char *read_flags;          /**< the same on the host; of allocate_host */
  size_t flags_size;         /**< room of both */
  int64_t kept;              /**< steps whose flags are there */
  bool records;              /**< work goes to a graph */
  int32_t branch;            /**< of what comes next; work in a branch is in order */
  uint32_t open_branches;    /**< that were begun since the last join, a bit for each */
  void *branches;            /**< of the api; null where all is in order */
} nnc_queue;

/** Most branches. Of marks, the first are their ends, then comes where they begin, then those of generated code. */
#define NNC_MAX_BRANCHES 8
#define NNC_FORK NNC_MAX_BRANCHES
#define NNC_FIRST_MARK (NNC_FORK + 1)

/** The kernels of one object, as the device has them. It lives as long as the
 * process, since objects point at it; `code` is null while the device is closed. */
typedef struct nnc_device_module {
  nnc_device *device;
  void *code; /**< of the api */
  struct nnc_device_function {
    const char *name;
    void *function; /**< of the api */
  } *functions;
  int function_count, function_room;
  struct nnc_device_module *next; /**< of all that were ever loaded */
} nnc_device_module;

/** How to launch a kernel. */
typedef struct nnc_launch {
  size_t blocks[3], threads[3];
  size_t shared_bytes;
  int count;           /**< of arguments */
  const size_t *sizes; /**< bytes of each */
  void **values;       /**< where each lies; of a buffer, where its address on the device lies */
  const int8_t *is_buffer;
} nnc_launch;

/** What a kind of device can do. Functions that give a status write why they fail to
 * `message` or to the queue's. */
struct nnc_device_api {
  const char *name;
  nnc_status (*open)(nnc_device *device, char *message);
  void (*close)(nnc_device *device);
  /** Makes this thread's calls go to the device, until `leave`. */
  nnc_status (*enter)(nnc_device *device, char *message);
  void (*leave)(nnc_device *device);

  nnc_status (*create_stream)(nnc_queue *queue);
  void (*destroy_stream)(nnc_queue *queue);
  nnc_status (*finish)(nnc_queue *queue);

  void *(*allocate)(nnc_device *device, size_t size);
  void (*release)(nnc_device *device, void *memory);
  /** Memory of the host that is copied fastest. */
  void *(*allocate_host)(nnc_device *device, size_t size);
  void (*release_host)(nnc_device *device, void *memory);
  /** Between any two places, on the host or on the device. What the host reads is there
   * after `finish`; what it wrote may change once the call returns, unless it is of
   * allocate_host. */
  /** Whether an address is on the device; null where that cannot be told. */
  bool (*has)(const void *memory);
  nnc_status (*copy)(nnc_queue *queue, void *to, const void *from, size_t size);
  nnc_status (*fill)(nnc_queue *queue, void *to, int value, size_t size); /**< bytes */

  nnc_status (*load)(nnc_queue *queue, nnc_device_module *module, const char *code, size_t size);
  void (*unload)(nnc_device_module *module);
  nnc_status (*get_function)(nnc_queue *queue, nnc_device_module *module, const char *name, void **out_function);
  void (*release_function)(void *function);
  nnc_status (*launch)(nnc_queue *queue, void *function, const nnc_launch *launch);

  /** Graphs: what is launched between begin and end is kept, and run by replay. Null
   * where there are none. */
  nnc_status (*begin_graph)(nnc_queue *queue);
  nnc_status (*end_graph)(nnc_queue *queue, void **out_graph);
  nnc_status (*replay)(nnc_queue *queue, void *graph);
  void (*release_graph)(nnc_queue *queue, void *graph);
  /** Branches of a graph. Makes them, outside of graphs, or leaves the queue without: then all is in order. Null where
   * there are none. */
  void (*make_branches)(nnc_queue *queue);
  void (*destroy_branches)(nnc_queue *queue);
  /** What comes next is in this branch. */
  void (*enter_branch)(nnc_queue *queue, int32_t branch);
  /** Marks what is in the branch by now, under any number from 0 on. */
  nnc_status (*mark)(nnc_queue *queue, int32_t number);
  /** Lets what comes next in the branch wait for what was marked so. */
  nnc_status (*wait_for_mark)(nnc_queue *queue, int32_t number);
};

extern const nnc_device_api nnc_cuda_api, nnc_opencl_api;

/** Bytes behind every block of memory on a device, where tiles of kernels may read beyond
 * the last element: that many rows of many values. */
#define NNC_DEVICE_SLACK (8u << 20)

/** Opens a device for one more model; nnc_device_close gives it back. */
nnc_status nnc_device_open(nnc_device_kind kind, int index, nnc_device **out_device, char *message);
void nnc_device_close(nnc_device *device);

/** A block of memory on a device for what kernels of one call hand to each other. */
typedef struct nnc_scratch {
  char *memory;
  size_t size;
  int32_t branch; /**< whose kernels have it */
  bool is_taken;
  struct nnc_scratch *next;
} nnc_scratch;

/** A free block of at least that size; null when the device has none left, which the queue
 * then says. */
nnc_scratch *nnc_scratch_take(nnc_queue *queue, size_t size);

/** Makes a queue on a stream of the caller's, or on a new one when it is null. */
nnc_status nnc_queue_create(nnc_device *device, void *stream, nnc_queue **out_queue, char *message);
void nnc_queue_destroy(nnc_queue *queue);

/** What comes next is in branch 0, whatever became of others. */
void nnc_queue_leave_branches(nnc_queue *queue);

/** Notes a failure; the first one stays. Gives back `status`. */
nnc_status nnc_queue_fail(nnc_queue *queue, nnc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* NNC_DEVICE_H */
