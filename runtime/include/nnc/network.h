/*===- nnc/network.h - The contract between a compiled network and the runtime ===*\
 *
 * The compiler writes one constant nnc_network a library and the functions it
 * points at; the runtime reads it. Users do not include this file.
 * compiler/emit/Network.cpp lays out the same structures: change both, and
 * NNC_NETWORK_VERSION.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_NETWORK_H
#define NNC_NETWORK_H

#include "nnc/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NNC_NETWORK_VERSION 6

/** One dimension of how a weight lies in memory: along it, index i of the
 * declared dimension `dim` contributes (i / divisor) % extent. */
typedef struct nnc_storage_dim {
  int32_t dim;
  int64_t divisor;
  int64_t extent;
} nnc_storage_dim;

/** See Initializer in dsl/Model.h. */
typedef enum nnc_initializer {
  NNC_INIT_CONSTANT = 0,  /* a */
  NNC_INIT_GLOROT = 1,    /* uniform in ±sqrt(6 / (fan_in + fan_out)) */
  NNC_INIT_HE = 2,        /* normal, deviation sqrt(2 / fan_in) */
  NNC_INIT_UNIFORM = 3,   /* in [a, b) */
  NNC_INIT_NORMAL = 4,    /* deviation a */
  NNC_INIT_ORTHOGONAL = 5 /* rows or columns orthonormal, of the matrix [shape[0], rest] */
} nnc_initializer;

/** Those that are trained lie first, so that they, their gradients and what an
 * optimizer keeps of each are vectors of trainable_size bytes. */
typedef struct nnc_weight {
  const char *name;
  int64_t const *shape;
  nnc_storage_dim const *storage; /* outermost first */
  int64_t offset;                 /* bytes from the start of the weights; a multiple of 64 */
  int64_t size;                   /* bytes in storage, padding included (padding is 0) */
  double a, b;
  int64_t fan_in, fan_out;
  int32_t rank;
  int32_t storage_rank;
  int32_t initializer;
  int32_t trainable; /* 0: a running statistic, which calls of NNC_FUNCTION_GRADIENTS move */
} nnc_weight;

/** What a generated function is handed. The fields are read by position from
 * generated code. */
typedef struct nnc_frame {
  char *workspace;
  char *weights;
  char *prepared;               /* values that depend on weights alone */
  char *state;                  /* recurrent state of the context */
  void *const *arguments;       /* inputs, then outputs */
  const int64_t *dims;          /* batch, each free dimension's length, then the segments of each and their steps */
  const int64_t *offsets;       /* of buffers in the workspace, from `plan` */
  const int32_t *const *ragged; /* for each free dimension: length of each example; never null; nnc_window_list */
  struct nnc_tasks *tasks;      /* passed to kernels as their user context */
  int64_t isa;                  /* index of the kernel table: 0 AVX2, 1 AVX-512 */
  char *gradients;     /* at each weight's offset its gradient, or the running statistic as training moves it */
  char *slots;         /* of the optimizer: number s at s * trainable_size */
  const int32_t *seed; /* of random numbers: two words, others in each call */
  int64_t room;        /* the batch that `state` has room for */
} nnc_frame;

/** The user context of kernels: who runs a parallel loop. Generated code sets
 * `work` before each kernel. */
typedef struct nnc_tasks {
  int64_t work;                  /* estimated floating-point operations of the kernel */
  nnc_parallel_for parallel_for; /* the caller's; null for the shared pool */
  void *parallel_user;
  struct nnc_queue *queue;     /* of a network that runs on a device */
  struct nnc_profile *profile; /* of a network that was compiled with -profile */
} nnc_tasks;

/** A parallel loop of a kernel: task(user_context, i, closure) for i in
 * [min, min + size). Kernels call it under this name (the compiler renames
 * Halide's halide_do_par_for). Runs in the calling thread when
 * tasks->work is too little to share. Flush-to-zero is set in every task. */
NNC_API int nnc_kernel_parallel_for(void *user_context, int (*task)(void *user_context, int index, uint8_t *closure),
                                    int min, int size, uint8_t *closure);

/** How many threads share a parallel loop of the kernel that runs, if it is long enough: 1 or more. Of a caller's own
 * threads, whose number is not known, as many as the kernel's work is worth. Kernels that divide their work into tasks
 * accordingly give the same result with any number. */
NNC_API int nnc_kernel_threads(void *user_context);

/** What generated code calls before and after each kernel, where it was asked to be
 * measured: which of the network's groups it was, and how many bytes its operands and results are. */
NNC_API void nnc_profile_begin(nnc_tasks *tasks);
NNC_API void nnc_profile_end(nnc_tasks *tasks, int32_t group, int64_t bytes);

/*--- Networks that run on a device. The frame's memories, arguments, ragged lengths and
 * seed are addresses on it. ---*/

/** Copies in the order of the kernels. */
NNC_API void nnc_device_copy(nnc_tasks *tasks, void *to, const void *from, int64_t size);

/** Zeroes memory, likewise. */
NNC_API void nnc_device_clear(nnc_tasks *tasks, void *to, int64_t size);

/** Kernels that need not wait for each other are in branches, from 0 on; the device may work on these at once. What
 * comes next is in this one. */
NNC_API void nnc_device_branch(nnc_tasks *tasks, int32_t branch);

/** What is in the branch by now has this number, from 0 on, until the next join. */
NNC_API void nnc_device_mark(nnc_tasks *tasks, int32_t mark);

/** What comes next in the branch waits for what has this number. */
NNC_API void nnc_device_wait(nnc_tasks *tasks, int32_t mark);

/** What comes next is in branch 0 and waits for all branches; what is in others after it waits for what is in branch 0
 * by now. Where there are branches, a call of this is before the first and after the last kernel. */
NNC_API void nnc_device_join(nnc_tasks *tasks);

/** Where kernels find the number of a step. */
NNC_API const int32_t *nnc_device_step(nnc_tasks *tasks, int64_t step);

/** Of a loop that ends when all flags are set, a byte each, `size` of them: called after each
 * of its `trip` steps, of which `done` are done. Gives 0, and the loop goes on, until it has
 * looked at the flags and found the first step after which all were set: gives how many steps
 * were done then. It looks every few steps and after the last one, as it waits for the device. */
NNC_API int64_t nnc_device_find_end(nnc_tasks *tasks, const void *flags, int64_t size, int64_t done, int64_t trip);

/* What kernels call, under these names (the compiler renames Halide's). */
struct nnc_kernel_buffer;
NNC_API int nnc_kernel_load(void *user_context, void **state, const char *code, int size);
NNC_API void nnc_kernel_unload(void *user_context, void *state);
NNC_API int nnc_kernel_run(void *user_context, void *state, const char *name, int blocks_x, int blocks_y, int blocks_z,
                           int threads_x, int threads_y, int threads_z, int shared_bytes, size_t sizes[],
                           void *values[], int8_t is_buffer[]);
NNC_API const void *nnc_device_interface(void);
NNC_API int nnc_device_copy_in(void *user_context, struct nnc_kernel_buffer *buffer, const void *interface);
NNC_API int nnc_device_malloc(void *user_context, struct nnc_kernel_buffer *buffer, const void *interface);
NNC_API int nnc_device_free(void *user_context, struct nnc_kernel_buffer *buffer);
NNC_API void nnc_device_free_as_destructor(void *user_context, void *buffer);
NNC_API void *nnc_device_no_malloc(void *user_context, size_t size);
NNC_API void nnc_device_no_free(void *user_context, void *memory);

typedef struct nnc_argument {
  const char *name;
  nnc_extent const *extents; /* outermost first, the batch among them */
  int64_t classes;           /* an int32 is in [0, classes); 0: unknown */
  int32_t rank;
  int32_t output;  /* 0 input, 1 output */
  int32_t element; /* nnc_element */
} nnc_argument;

typedef struct nnc_function {
  const char *name;
  nnc_argument const *arguments;
  int32_t argument_count;
  int32_t flags; /* NNC_FUNCTION_… */
  /** Fills offsets[0 … offset_count) for the largest dims, and gives the
   * workspace's size in bytes at offsets[offset_count]. Offsets are multiples of 64. */
  void (*plan)(const int64_t *dims, int64_t *offsets);
  int64_t offset_count;
  /** Gives 0, or a non-zero code whose text is errors[code - 1]. */
  int32_t (*run)(const nnc_frame *frame);
} nnc_function;

#define NNC_FUNCTION_STEP 1      /* runs one step on the context's state; every free length is 1 */
#define NNC_FUNCTION_GRADIENTS 2 /* sets frame->gradients to the sums over the batch; its one output is the loss */
#define NNC_FUNCTION_UPDATE 4    /* moves frame->weights and frame->slots by frame->gradients */
#define NNC_FUNCTION_FLOW 8      /* of inputs, labels and the number of a step the loss and norms of errors */
#define NNC_FUNCTION_LOOKS 16    /* has loops that end when all examples have */

/** Most betas of an optimizer. */
#define NNC_MAX_BETAS 2

/** What gradients record of a layer: numbers in the context's states of training, float,
 * so many bytes from their start; -1 where there is none. */
typedef struct nnc_statistic {
  const char *layer, *operation, *source;
  int64_t not_finite, error, saturated, dead;
} nnc_statistic;

/** A train block of the source. */
typedef struct nnc_train {
  const char *name;
  const char *optimizer;
  int32_t gradients; /* index of the function; its arguments are inputs, labels, loss */
  /** Index of the function, whose arguments are numbers: the rate, what gradients are
   * multiplied by, then 1 - beta^step for each beta. -1 when nothing is trained. */
  int32_t update;
  int32_t slot_count;
  int32_t reduce_sum; /* the loss of a batch is 0 the mean, 1 the sum of its examples' */
  int32_t batch;      /* nnc_batch */
  int64_t batch_size; /* of mini-batches */
  double (*rate)(double step, double epoch);
  const double *betas;
  int32_t beta_count;
  /** Of truncated back-propagation: the steps that a window goes on by, and the most that
   * it goes through; 0 when sequences are gone through as a whole. The network has
   * one free dimension then. */
  int64_t window_step, window_length;
  /** Where the way back computes segments of a sequence anew: -1, as many steps each as
   * the square root of all; else the bytes that the workspace is to take. 0 elsewhere. */
  int64_t checkpoint;
  /* Of a network that was compiled with -gradient-stats. */
  nnc_statistic const *statistics; /* in the order in which values are computed */
  int32_t statistic_count;
  int32_t flow;           /* index of the function; 0 when there is none */
  int32_t flow_has_steps; /* whether it tells the losses of steps apart */
} nnc_train;

/** What stands in frame->ragged behind the lengths where a function goes through a
 * window of a sequence: for each example. */
typedef enum nnc_window_list {
  NNC_WINDOW_OWN = 0,     /* its steps whose losses are this window's */
  NNC_WINDOW_TOTAL = 1,   /* its steps in all windows */
  NNC_WINDOW_DIVISOR = 2, /* of the gradients of means over steps */
  NNC_WINDOW_KEPT = 3,    /* the steps before the next window's start */
  NNC_WINDOW_FIRST = 4,   /* 1 where the window begins with the sequence */
  NNC_WINDOW_ENDS = 5,    /* 1 where its last step is one of its own */
  NNC_WINDOW_LISTS = 6
} nnc_window_list;

/** A place where a function calls a kernel. */
typedef struct nnc_group {
  const char *function, *kernel, *operations, *layer, *source;
} nnc_group;

struct nnc_network {
  int32_t version;  /* NNC_NETWORK_VERSION */
  int32_t isa_mask; /* bit nnc_isa is set for each set of kernels it carries */
  int32_t device;   /* nnc_device_kind */
  int32_t padding;
  const char *name;
  const char *compiler; /* "nnc 1.0.0" */
  nnc_weight const *weights;
  int32_t weight_count;
  int32_t free_dim_count;
  const char *const *free_dim_names;
  const int64_t *free_dim_bounds; /* 0: unbounded */
  nnc_function const *functions;
  int32_t function_count;
  int32_t train_count;
  nnc_train const *trains;
  int64_t weights_size;   /* bytes */
  int64_t trainable_size; /* bytes of those that are trained; a multiple of 64 */
  int64_t prepared_size;  /* bytes */
  /** Fills frame->prepared from frame->weights; null when there is nothing to prepare. */
  int32_t (*prepare)(const nnc_frame *frame);
  int64_t prepare_workspace_size;
  /** Bytes of recurrent state for a batch of dims[0]; null when there is none. */
  int64_t (*state_size)(const int64_t *dims);
  /** Sets frame->state to the start values; null when there is none. */
  int32_t (*reset)(const nnc_frame *frame);
  /** As state_size, of the states that windows hand on. */
  int64_t (*training_state_size)(const int64_t *dims);
  const void *embedded; /* safetensors bytes to start from, or null */
  int64_t embedded_size;
  char const *const *errors;
  nnc_group const *groups; /* of a network that was compiled with -profile */
  int32_t group_count;
  int32_t padding_end;
};

#ifdef __cplusplus
}
#endif

#endif /* NNC_NETWORK_H */
