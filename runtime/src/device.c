/*===- device.c - Devices, queues, and what kernels call ----------------------===*/

#include "device.h"

#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*--- Devices ---------------------------------------------------------------*/

/** Most devices of one kind. */
#define NNC_MAX_DEVICES 16

static nnc_device nnc_devices[NNC_OPENCL + 1][NNC_MAX_DEVICES];
static nnc_device_module *nnc_modules;
static pthread_mutex_t nnc_devices_lock = PTHREAD_MUTEX_INITIALIZER; /* of both */

nnc_status nnc_device_open(nnc_device_kind kind, int index, nnc_device **out_device, char *message) {
  static const nnc_device_api *const apis[] = {NULL, &nnc_cuda_api, &nnc_opencl_api};
  *out_device = NULL;
  if (kind != NNC_CUDA && kind != NNC_OPENCL)
    return nnc_fail(message, NNC_UNSUPPORTED, "this runtime knows no device of kind %d", (int)kind);
  if (index < 0 || index >= NNC_MAX_DEVICES)
    return nnc_fail(message, NNC_INVALID_ARGUMENT, "options->device is %d: it must be 0 to %d", index,
                    NNC_MAX_DEVICES - 1);
  nnc_status status = NNC_OK;
  pthread_mutex_lock(&nnc_devices_lock);
  nnc_device *device = &nnc_devices[kind][index];
  if (!device->api) {
    device->api = apis[kind];
    device->index = index;
    pthread_mutex_init(&device->lock, NULL);
  }
  if (device->models == 0)
    status = device->api->open(device, message);
  if (status == NNC_OK) {
    ++device->models;
    *out_device = device;
  }
  pthread_mutex_unlock(&nnc_devices_lock);
  return status;
}

static void nnc_unload(nnc_device_module *module) {
  const nnc_device_api *api = module->device->api;
  for (int i = 0; i < module->function_count && api->release_function; ++i)
    api->release_function(module->functions[i].function);
  module->function_count = 0;
  api->unload(module);
  module->code = NULL;
}

void nnc_device_close(nnc_device *device) {
  char message[NNC_MESSAGE_SIZE];
  if (!device)
    return;
  pthread_mutex_lock(&nnc_devices_lock);
  if (--device->models == 0) {
    bool entered = device->api->enter(device, message) == NNC_OK;
    for (nnc_device_module *module = nnc_modules; module; module = module->next)
      if (module->device == device && module->code)
        nnc_unload(module);
    if (entered)
      device->api->leave(device);
    device->api->close(device);
  }
  pthread_mutex_unlock(&nnc_devices_lock);
}

/*--- Queues ----------------------------------------------------------------*/

nnc_status nnc_queue_fail(nnc_queue *queue, nnc_status status, const char *format, ...) {
  if (queue->status != NNC_OK)
    return status;
  va_list values;
  va_start(values, format);
  vsnprintf(queue->message, sizeof queue->message, format, values);
  va_end(values);
  return queue->status = status;
}

nnc_status nnc_queue_create(nnc_device *device, void *stream, nnc_queue **out_queue, char *message) {
  nnc_queue *queue = calloc(1, sizeof *queue);
  *out_queue = NULL;
  if (!queue)
    return nnc_fail(message, NNC_OUT_OF_MEMORY, "a queue needs %zu bytes", sizeof *queue);
  queue->device = device;
  queue->stream = stream;
  queue->owns_stream = !stream;
  nnc_status status = stream ? NNC_OK : device->api->create_stream(queue);
  if (status != NNC_OK) {
    nnc_fail(message, status, "%s", queue->message);
    free(queue);
    return status;
  }
  *out_queue = queue;
  return NNC_OK;
}

void nnc_queue_destroy(nnc_queue *queue) {
  if (!queue)
    return;
  const nnc_device_api *api = queue->device->api;
  api->finish(queue);
  while (queue->scratch) {
    nnc_scratch *next = queue->scratch->next;
    api->release(queue->device, queue->scratch->memory);
    free(queue->scratch);
    queue->scratch = next;
  }
  if (queue->read_flags)
    api->release_host(queue->device, queue->read_flags);
  if (queue->branches)
    api->destroy_branches(queue);
  if (queue->owns_stream)
    api->destroy_stream(queue);
  free(queue);
}

/* The smallest of the branch that is free; a new one when there is none. Work in a branch is in order, so
 * that a block can be taken again there as soon as it was given back. */
nnc_scratch *nnc_scratch_take(nnc_queue *queue, size_t size) {
  nnc_scratch *best = NULL;
  for (nnc_scratch *scratch = queue->scratch; scratch; scratch = scratch->next)
    if (!scratch->is_taken && scratch->branch == queue->branch && scratch->size >= size &&
        (!best || scratch->size < best->size))
      best = scratch;
  if (!best) {
    if (queue->records) {
      nnc_queue_fail(queue, NNC_INTERNAL, "a graph needs memory that its first run did not");
      return NULL;
    }
    best = calloc(1, sizeof *best);
    char *memory = best ? queue->device->api->allocate(queue->device, size + NNC_DEVICE_SLACK) : NULL;
    if (!memory) {
      nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "%s has no %zu bytes left", queue->device->name, size);
      free(best);
      return NULL;
    }
    *best = (nnc_scratch){memory, size, queue->branch, false, queue->scratch};
    queue->scratch = best;
  }
  best->is_taken = true;
  return best;
}

/*--- What entry functions call ---------------------------------------------*/

void nnc_device_copy(nnc_tasks *tasks, void *to, const void *from, int64_t size) {
  nnc_queue *queue = tasks->queue;
  if (size > 0 && queue->status == NNC_OK)
    queue->device->api->copy(queue, to, from, (size_t)size);
}

void nnc_device_clear(nnc_tasks *tasks, void *to, int64_t size) {
  nnc_queue *queue = tasks->queue;
  if (size > 0 && queue->status == NNC_OK)
    queue->device->api->fill(queue, to, 0, (size_t)size);
}

/** Makes room for more steps. The old ones stay: graphs may point there. */
static nnc_status nnc_count_steps(nnc_queue *queue, int64_t count) {
  int64_t room = 256;
  while (room < count)
    room *= 2;
  size_t size = (size_t)room * sizeof(int32_t);
  nnc_scratch *steps = nnc_scratch_take(queue, size);
  int32_t *numbers = steps ? malloc(size) : NULL;
  if (!numbers)
    return nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "no %zu bytes for the numbers of steps", size);
  for (int64_t i = 0; i < room; ++i)
    numbers[i] = (int32_t)i;
  nnc_status status = queue->device->api->copy(queue, steps->memory, numbers, size);
  free(numbers);
  queue->steps = (int32_t *)steps->memory;
  queue->step_count = room;
  return status;
}

const int32_t *nnc_device_step(nnc_tasks *tasks, int64_t step) {
  nnc_queue *queue = tasks->queue;
  if (step >= queue->step_count && nnc_count_steps(queue, step + 1) != NNC_OK)
    return queue->steps;
  return queue->steps + step;
}

/*--- What kernels call -----------------------------------------------------*/
/*
 * Halide's code for the host, whose calls the compiler names so.
 */

/** halide_buffer_t, as far as it is needed here. */
typedef struct nnc_kernel_dimension {
  int32_t min, extent, stride;
  uint32_t flags;
} nnc_kernel_dimension;

typedef struct nnc_kernel_buffer {
  uint64_t device;
  const void *device_interface;
  uint8_t *host;
  uint64_t flags;
  uint8_t type_code, type_bits;
  uint16_t type_lanes;
  int32_t dimensions;
  nnc_kernel_dimension *dim;
  void *padding;
} nnc_kernel_buffer;

const void *nnc_device_interface(void) { return nnc_devices; }

int nnc_device_copy_in(void *user_context, nnc_kernel_buffer *buffer, const void *interface) {
  (void)user_context, (void)buffer, (void)interface; /* all values are on the device */
  return 0;
}

int nnc_device_malloc(void *user_context, nnc_kernel_buffer *buffer, const void *interface) {
  nnc_queue *queue = ((nnc_tasks *)user_context)->queue;
  (void)interface;
  if (buffer->device)
    return 0;
  size_t size = (size_t)(buffer->type_bits + 7) / 8;
  for (int32_t i = 0; i < buffer->dimensions; ++i)
    size *= (size_t)(buffer->dim[i].extent > 0 ? buffer->dim[i].extent : 0);
  nnc_scratch *scratch = nnc_scratch_take(queue, size > 0 ? size : 1);
  buffer->device = scratch ? (uint64_t)(uintptr_t)scratch->memory : 0;
  buffer->device_interface = nnc_devices;
  return scratch ? 0 : -1;
}

int nnc_device_free(void *user_context, nnc_kernel_buffer *buffer) {
  nnc_queue *queue = ((nnc_tasks *)user_context)->queue;
  for (nnc_scratch *scratch = queue->scratch; scratch; scratch = scratch->next)
    if (buffer->device == (uint64_t)(uintptr_t)scratch->memory)
      scratch->is_taken = false;
  buffer->device = 0;
  return 0;
}

void nnc_device_free_as_destructor(void *user_context, void *buffer) { nnc_device_free(user_context, buffer); }

/* What a pipeline has on the device it does not need on the host, but asks for no bytes. */
void *nnc_device_no_malloc(void *user_context, size_t size) {
  (void)user_context, (void)size;
  return NULL;
}

void nnc_device_no_free(void *user_context, void *memory) { (void)user_context, (void)memory; }

/** The module of an object whose variable for it is *state, loaded; null when it cannot
 * be. */
static nnc_device_module *nnc_get_module(nnc_queue *queue, void **state, const char *code, size_t size) {
  nnc_device_module *module = __atomic_load_n(state, __ATOMIC_ACQUIRE);
  if (module && module->device == queue->device && module->code)
    return module;
  pthread_mutex_lock(&nnc_devices_lock);
  module = *state;
  if (!module && (module = calloc(1, sizeof *module))) {
    module->next = nnc_modules;
    nnc_modules = module;
  }
  if (!module) {
    nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "a module needs %zu bytes", sizeof *module);
  } else if (module->code && module->device != queue->device) {
    nnc_queue_fail(queue, NNC_UNSUPPORTED, "the library's models are on another device: it runs on one at a time");
    module = NULL;
  } else if (!module->code) {
    module->device = queue->device;
    if (queue->device->api->load(queue, module, code, size) == NNC_OK) {
      __atomic_store_n(state, module, __ATOMIC_RELEASE);
    } else {
      module->code = NULL; /* whatever the driver left there */
      module = NULL;
    }
  }
  pthread_mutex_unlock(&nnc_devices_lock);
  return module;
}

int nnc_kernel_load(void *user_context, void **state, const char *code, int size) {
  nnc_queue *queue = ((nnc_tasks *)user_context)->queue;
  return nnc_get_module(queue, state, code, (size_t)size) ? 0 : -1;
}

void nnc_kernel_unload(void *user_context, void *state) { (void)user_context, (void)state; /* it is used again */ }

/** The kernel of that name; names are constants of the object, so that their
 * addresses tell them apart. */
static void *nnc_get_function(nnc_queue *queue, nnc_device_module *module, const char *name) {
  for (int i = 0; i < module->function_count; ++i)
    if (module->functions[i].name == name)
      return module->functions[i].function;
  if (module->function_count == module->function_room) {
    int room = module->function_room ? 2 * module->function_room : 2;
    void *functions = realloc(module->functions, (size_t)room * sizeof *module->functions);
    if (!functions) {
      nnc_queue_fail(queue, NNC_OUT_OF_MEMORY, "no memory for the kernel %s", name);
      return NULL;
    }
    module->functions = functions;
    module->function_room = room;
  }
  void *function = NULL;
  if (queue->device->api->get_function(queue, module, name, &function) != NNC_OK)
    return NULL;
  module->functions[module->function_count].name = name;
  module->functions[module->function_count++].function = function;
  return function;
}

/** Most arguments of a kernel. */
#define NNC_MAX_KERNEL_ARGUMENTS 256

int nnc_kernel_run(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                   int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[], void *values[],
                   int8_t is_buffer[]) {
  nnc_queue *queue = ((nnc_tasks *)user_context)->queue;
  if (queue->status != NNC_OK)
    return -1;
  if (blocks_x == 0 || blocks_y == 0 || blocks_z == 0)
    return 0;
  void *places[NNC_MAX_KERNEL_ARGUMENTS];
  nnc_launch launch = {{(size_t)blocks_x, (size_t)blocks_y, (size_t)blocks_z},
                       {(size_t)threads_x, (size_t)threads_y, (size_t)threads_z},
                       (size_t)shared_bytes,
                       0,
                       sizes,
                       places,
                       is_buffer};
  for (; sizes[launch.count] != 0; ++launch.count) {
    if (launch.count == NNC_MAX_KERNEL_ARGUMENTS) {
      nnc_queue_fail(queue, NNC_INTERNAL, "the kernel %s has more than %d arguments", name, NNC_MAX_KERNEL_ARGUMENTS);
      return -1;
    }
    void *value = values[launch.count];
    places[launch.count] = is_buffer[launch.count] ? &((nnc_kernel_buffer *)value)->device : value;
  }
  nnc_device *device = queue->device;
  pthread_mutex_lock(&device->lock); /* functions are found, and in OpenCL have arguments set, by one at a time */
  void *function = nnc_get_function(queue, state, name);
  nnc_status status = function ? device->api->launch(queue, function, &launch) : NNC_INTERNAL;
  pthread_mutex_unlock(&device->lock);
  return status == NNC_OK ? 0 : -1;
}
