/*===- internal.h - What the runtime's own files share -----------------------===*\
 *
 * Where kernels run on the host:
 *
 * Memory of a model:   nnc_model | weights | prepared | scratch
 * Memory of a context: nnc_context | offsets | dims | ragged arrays | profile | state | workspace
 * of one that trains:  nnc_context | … | nnc_training | steps | gradients | slots | windows | workspace | sum
 *
 * Each is one block, so that it can be the caller's, and nothing is allocated
 * later. Every part begins at a multiple of NNC_ALIGNMENT.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_INTERNAL_H
#define NNC_INTERNAL_H

#include "nnc/network.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define NNC_ALIGNMENT 64
#define NNC_MESSAGE_SIZE 512

/** Most free dimensions of a network. */
#define NNC_MAX_FREE_DIMS 15

/** Functions of training: contexts that do not train have no room for them. */
#define NNC_FUNCTION_TRAINS (NNC_FUNCTION_GRADIENTS | NNC_FUNCTION_UPDATE | NNC_FUNCTION_FLOW)

/** Most buffers in the workspace of one function. */
#define NNC_MAX_OFFSETS 1023

/*--- Status (status.c) -----------------------------------------------------*/

/** Writes a message of NNC_MESSAGE_SIZE bytes and gives back `status`. */
nnc_status nnc_fail(char *message, nnc_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*--- Layout of memory (layout.c) -------------------------------------------*/

/** Places the parts of one block one after the other. */
typedef struct nnc_layout {
  size_t size;
  bool overflow;
} nnc_layout;

/** The offset of a next part of count * element_size bytes. */
size_t nnc_layout_add(nnc_layout *layout, int64_t count, size_t element_size);

/** The layout's size, rounded up to the alignment; 0 on overflow. */
size_t nnc_layout_finish(nnc_layout *layout);

/** Memory of that size: the caller's where it gave some, else new. Null with
 * *out_status set when there is none, too little, or at a bad address. */
void *nnc_memory_take(void *memory, size_t memory_size, size_t size, nnc_status *out_status);

/*--- Models (model.c) ------------------------------------------------------*/

struct nnc_model {
  const nnc_network *network;
  struct nnc_device *device; /**< that runs the kernels; null where the host does */
  struct nnc_queue *queue;   /**< for copies of weights */
  char *weights;             /**< the host's */
  char *kernel_weights;      /**< where kernels have them: `weights`, or on the device */
  char *prepared;            /**< likewise */
  char *scratch;             /**< of initializers */
  char *kernel_scratch;      /**< the workspace of `prepare` */
  nnc_parallel_for parallel_for;
  void *parallel_user;
  nnc_isa isa;
  bool owns_memory;
  pthread_mutex_t lock;              /**< held while weights are prepared or a message written */
  _Atomic uint64_t version;          /**< of the weights: counts their changes */
  _Atomic uint64_t kernel_version;   /**< of those that the device has */
  uint64_t host_version;             /**< of those that the host has */
  _Atomic uint64_t prepared_version; /**< of the weights that `prepared` was made from */
  char message[NNC_MESSAGE_SIZE];
};

/** As nnc_fail, for nnc_model_error. */
nnc_status nnc_model_fail(const nnc_model *model, nnc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Whether this runtime can run the network; else `message` says why not. */
nnc_status nnc_check_network(const nnc_network *network, char *message);

/** The text of a code that generated code returned. */
const char *nnc_network_error(const nnc_network *network, int32_t code);

/*--- Weights (weights.c) ---------------------------------------------------*/

/** The weight of that name, or null. */
const nnc_weight *nnc_weight_find(const nnc_network *network, const char *name);

/** Finds the weight that a call names, and checks the rest of its arguments;
 * `message` says what is wrong. */
nnc_status nnc_weight_check(const nnc_network *network, const char *name, const void *values, int64_t count,
                            const nnc_weight **out_weight, char *message);

/** The number of elements in a weight's declared shape. */
int64_t nnc_weight_elements(const nnc_weight *weight);

/** Called for `length` elements that are neighbours both in the declared,
 * row-major order, from `first` on, and in storage, where they are `stride` apart. */
typedef void (*nnc_run_visitor)(void *data, float *storage, int64_t stride, int64_t first, int64_t length);

/** Visits the rows [begin, end) of a weight: a row is all of its last dimension. */
void nnc_weight_visit(const nnc_weight *weight, char *weights, int64_t begin, int64_t end, nnc_run_visitor visit,
                      void *data);

/** The number of rows that nnc_weight_visit counts. */
int64_t nnc_weight_rows(const nnc_weight *weight);

/** Notes that the host changed weights, so that they are prepared anew. */
void nnc_weights_changed(nnc_model *model);

/** Sets every weight to its start value (initialize.c). */
void nnc_weights_initialize(nnc_model *model, uint64_t seed);

/** Makes `count` vectors of n >= count elements orthonormal (orthogonal.c). */
void nnc_make_orthonormal(nnc_model *model, float *vectors, int64_t count, int64_t n);

/*--- Numbers (numbers.c) ---------------------------------------------------*/

/** Philox4x32-10 (Salmon et al. 2011): four random words of one counter. */
void nnc_philox(const uint32_t counter[4], uint64_t key, uint32_t out_words[4]);

/** FNV-1a, 64 bits. */
uint64_t nnc_hash(const char *text);

float nnc_float_from_half(uint16_t bits);
float nnc_float_from_bfloat(uint16_t bits);

/*--- Threads (threads.c) ---------------------------------------------------*/

/** Operations that are worth a thread of their own: a microsecond or more. */
#define NNC_WORK_OF_THREAD 50000

/** Whether a loop of so many operations is more than one thread's. */
static inline bool nnc_is_worth_sharing(int count, int64_t work) {
  return count > 1 && work >= 2 * NNC_WORK_OF_THREAD && nnc_threads() > 1;
}

/** An nnc_parallel_for on the shared pool, of so many operations, which choose the
 * number of threads. Each goes through its tasks from the first to the last, or
 * backward. */
int nnc_pool_run(nnc_task task, void *data, int count, bool backward, int64_t work);

/** Runs a loop on the model's threads. */
int nnc_model_parallel_for(const nnc_model *model, nnc_task task, void *data, int count);

/** Makes the shared pool ready, so that a later call makes no thread. */
void nnc_pool_prepare(void);

/*--- Training (training.c) -------------------------------------------------*/

/** What a context that trains holds. */
typedef struct nnc_training {
  char *gradients; /**< laid out as all weights: sums over `examples`, and running statistics after them */
  char *added;     /**< the same of one call, before it is added */
  char *slots;     /**< of the optimizers, those of one train block after those of the other */
  int64_t *steps;  /**< of each train block: its updates */
  int64_t epoch;
  uint64_t seed;
  int64_t calls;    /**< that drew random numbers from the seed */
  int64_t examples; /**< whose gradients wait for an update */
  int32_t train;    /**< the train block that they are of */
  bool is_clean;    /**< `added` was zeroed */
  int32_t recorded; /**< the train block whose statistics `states` holds, from 1; 0 when there are none */
  /* Of truncated back-propagation. */
  char *states;            /**< statistics, then what windows hand on; as the other memories where kernels look */
  int32_t *window_lists;   /**< the lengths of examples, then each nnc_window_list, max_batch apart */
  char *slices;            /**< the window's steps of the arguments */
  void **window_arguments; /**< the arguments of a window */
} nnc_training;

/** The slots of all train blocks before one, or of all. */
int32_t nnc_slots_before(const nnc_network *network, int32_t train);
int32_t nnc_slot_count(const nnc_network *network);

/** Checks that a context can train, and has that train block; its message says why
 * not. */
nnc_status nnc_training_check(nnc_context *context, int32_t train);

/** The same, and that gradients of the train block wait for an update. */
nnc_status nnc_gradients_check(nnc_context *context, int32_t train);

/** By what sums of gradients are multiplied: they wait for an update. */
float nnc_gradient_scale(const nnc_context *context, int32_t train);

/** Adds gradients of all trained weights, which the host can read, to the context's. */
nnc_status nnc_gradients_sum(nnc_context *context, const char *added);

/** Checks all that a caller hands to a function of a train block (train.c). */
nnc_status nnc_check_batch(nnc_context *context, const nnc_function *function, int64_t batch, const int64_t *lengths,
                           const int32_t *const *ragged, void *const *arguments);

/** Two words that differ from call to call and from seed to seed (train.c). */
void nnc_draw_seed(nnc_training *training, int32_t out_seed[2]);

/** Says that a loss is not finite, and where that began, if it is known (statistics.c). */
nnc_status nnc_fail_numeric(nnc_context *context, int32_t train, const char *name, float loss);

/*--- Truncated back-propagation (windows.c) --------------------------------*/

/** A window of a sequence, in steps from its begin. */
typedef struct nnc_window {
  int64_t begin; /**< of those that it goes through */
  int64_t own;   /**< of those whose losses are its own */
  int64_t end;
  int64_t next; /**< where the next one begins */
} nnc_window;

/** How many windows a call has, whose dims and lengths are the context's. */
int64_t nnc_window_count(const nnc_context *context, const nnc_train *train);

/** Window number i of it. */
nnc_window nnc_window_at(const nnc_context *context, const nnc_train *train, int64_t i);

/** Fills what a window's function reads: lists of lengths, and slices of the
 * arguments. Gradients of means over steps are those of the mean over the window's own
 * steps, or with `whole` its share in that over all. */
void nnc_window_fill(nnc_context *context, const nnc_train *train, const nnc_window *window, bool whole,
                     void *const *arguments);

/** Bytes of the slices of any train block's arguments. */
int64_t nnc_window_slices_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths);

/** The most arguments of a function that goes through windows. */
int32_t nnc_window_argument_count(const nnc_network *network);

/** The most steps that a function goes through in a call; INT64_MAX when that is up to
 * the caller. */
int64_t nnc_window_limit(const nnc_network *network, const nnc_function *function);

/*--- Checkpoints in time (segments.c) --------------------------------------*/

/** Chooses for a call of these dims into how many segments the function divides each
 * sequence, where it does: sets the dims behind the lengths, and plans anew. */
void nnc_segments_choose(const nnc_network *network, const nnc_function *function, int64_t *dims, int64_t *offsets);

/** The bytes of workspace that no call of up to these dims exceeds, which are planned
 * where the function has no segments; negative when a value is too large. */
int64_t nnc_segments_reserve(const nnc_network *network, const nnc_function *function, int64_t *dims, int64_t *offsets);

/*--- Contexts (context.c) --------------------------------------------------*/

struct nnc_context {
  nnc_model *model;
  nnc_training *training; /**< or null */
  int64_t **offsets;      /**< for each function, of its buffers in the workspace */
  int64_t *max_dims;      /**< max_batch, then max_lengths */
  int64_t *dims;          /**< of the call */
  int32_t **full;         /**< of each free dimension: room for the lengths of full examples */
  const int32_t **ragged; /**< of the call */
  char *state;            /**< where kernels look, as the workspace */
  char *workspace;
  struct nnc_offload *offload; /**< where kernels run on a device */
  struct nnc_profile *profile; /**< of a network that was compiled with -profile */
  nnc_tasks tasks;
  bool owns_memory;
  bool needs_reset; /**< the state was never set */
  char message[NNC_MESSAGE_SIZE];
};

/** Makes a context that can train, or one that cannot. */
nnc_status nnc_context_make(nnc_model *model, const nnc_context_options *options, bool trains, int64_t max_batch,
                            const int64_t *max_lengths, nnc_context **out_context);

/** As nnc_context_memory_size. */
size_t nnc_context_size(const nnc_network *network, bool trains, int64_t max_batch, const int64_t *max_lengths);

/** Checks what a caller hands to a function, and takes the lengths over (run.c). */
nnc_status nnc_context_check(nnc_context *context, const nnc_function *function, int64_t batch, const int64_t *lengths,
                             const int32_t *const *ragged, void *const *arguments);

/** Runs generated code that takes no arguments. */
nnc_status nnc_context_run(nnc_context *context, const char *name, int32_t (*run)(const nnc_frame *frame),
                           nnc_frame *frame);

/** Runs a function in a frame whose memories are set; arguments were checked. */
nnc_status nnc_context_call(nnc_context *context, int32_t function, nnc_frame *frame, void *const *arguments);

/** A frame for generated code, with what is the same in every call. */
nnc_frame nnc_context_frame(nnc_context *context);

/** Prepares the weights when they changed since (prepare.c). */
nnc_status nnc_context_prepare(nnc_context *context);

/** Sets the state to its start values; the weights are prepared. */
nnc_status nnc_context_set_state(nnc_context *context);

#endif /* NNC_INTERNAL_H */
