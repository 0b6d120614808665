/*===- nnc/runtime.h - What every compiled network shares ------------------===*\
 *
 * Plain C11, thread-safe. Nothing here aborts, prints or throws: every call
 * that can fail returns a status, and its results come last, as out_….
 *
 * A model holds the weights. A context holds what one caller needs at a time:
 * workspace, recurrent state, and for training gradients, what the optimizer
 * keeps, and a random seed. Calls on different contexts of one model run at once;
 * a context serves one caller at a time.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_RUNTIME_H
#define NNC_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NNC_API __attribute__((visibility("default")))
#else
#define NNC_API
#endif

typedef struct nnc_model nnc_model;
typedef struct nnc_context nnc_context;

/** A compiled network: a constant inside the library that nnc wrote. */
typedef struct nnc_network nnc_network;

typedef enum nnc_status {
  NNC_OK = 0,
  NNC_INVALID_ARGUMENT = 1, /**< a null pointer, a batch or length out of range */
  NNC_OUT_OF_MEMORY = 2,    /**< or the caller's memory is too small */
  NNC_NOT_FOUND = 3,        /**< no weight of that name; no such file */
  NNC_SHAPE_MISMATCH = 4,   /**< a weight's shape is not the network's */
  NNC_BAD_FILE = 5,         /**< not a safetensors file, truncated, or hostile */
  NNC_IO_ERROR = 6,         /**< the system refused to read or write */
  NNC_UNSUPPORTED = 7,      /**< this processor lacks the instructions */
  NNC_VERSION_MISMATCH = 8, /**< library and runtime are of different versions */
  NNC_MISSING_WEIGHT = 9,   /**< a file lacks a weight of the network */
  NNC_NUMERIC = 10,         /**< a value is not finite */
  NNC_INTERNAL = 11,
  NNC_DEVICE_ERROR = 12 /**< the driver of a device refused, or a kernel failed on it */
} nnc_status;

/** What a status means, in English. Never null. */
NNC_API const char *nnc_status_message(nnc_status status);

/** "1.0.0". */
NNC_API const char *nnc_runtime_version(void);

/*--- Threads ---------------------------------------------------------------*/

/** Runs task(data, i) for i in [0, count), in any order, on any threads, and
 * returns when all are done. Gives a task's first non-zero result, or 0. */
typedef int (*nnc_task)(void *data, int index);
typedef int (*nnc_parallel_for)(void *user, nnc_task task, void *data, int count);

/** Threads of the pool that all models without a parallel_for of their own
 * share, the caller's included; 0 asks for one a processor, and 256 are the most.
 * Takes effect at the next call of a model. With 1 there is no pool. The pool
 * runs one loop at a time: who finds it busy runs its own loop alone. */
NNC_API nnc_status nnc_set_threads(int count);
NNC_API int nnc_threads(void);

/*--- Models ----------------------------------------------------------------*/

/** Which kernels a model runs. AUTO takes what NNC_ISA=avx2 or NNC_ISA=avx512 in
 * the environment says, else the best that the processor has. */
typedef enum nnc_isa { NNC_ISA_AUTO = 0, NNC_ISA_AVX2 = 1, NNC_ISA_AVX512 = 2 } nnc_isa;

/** What a network's kernels run on: its library was made for one of these. */
typedef enum nnc_device_kind { NNC_HOST = 0, NNC_CUDA = 1, NNC_OPENCL = 2 } nnc_device_kind;

NNC_API nnc_device_kind nnc_network_device(const nnc_network *network);

/** Zero-initialize, then set what differs: every zero means the default. */
typedef struct nnc_model_options {
  nnc_isa isa;
  uint64_t seed;                 /**< of the weights' initializers */
  nnc_parallel_for parallel_for; /**< the caller's own threads, or null */
  void *parallel_user;           /**< handed to parallel_for */
  void *memory;                  /**< for the model, 64-byte aligned, or null */
  size_t memory_size;            /**< at least nnc_model_memory_size */
  int32_t device;                /**< the number of the CUDA or OpenCL device, for a network that runs on one */
} nnc_model_options;

/** Makes a model with initialized weights. options may be null. When it fails,
 * *out_model is null, and nnc_model_error(NULL) says why. */
NNC_API nnc_status nnc_model_create(const nnc_network *network, const nnc_model_options *options,
                                    nnc_model **out_model);
NNC_API void nnc_model_destroy(nnc_model *model);

/** Bytes that a model of this network needs from its caller. */
NNC_API size_t nnc_model_memory_size(const nnc_network *network);

/** What went wrong in the last failed call on this model, naming the weight or
 * the file; "" when none failed. Valid until the next call on it. Of a null model:
 * what went wrong in this thread's last nnc_model_create, until its next one; ""
 * when that made a model. */
NNC_API const char *nnc_model_error(const nnc_model *model);

/** Which kernels this model runs: NNC_ISA_AVX2 or NNC_ISA_AVX512; NNC_ISA_AUTO on a device. */
NNC_API nnc_isa nnc_model_isa(const nnc_model *model);

/*--- Weights, by name ------------------------------------------------------*/

typedef struct nnc_weight_info {
  const char *name;
  int32_t rank;
  const int64_t *shape; /**< rank extents, outermost first */
  int64_t count;        /**< number of elements */
  int32_t trainable;    /**< 0 for running statistics */
} nnc_weight_info;

NNC_API int32_t nnc_weight_count(const nnc_network *network);
NNC_API nnc_status nnc_weight_at(const nnc_network *network, int32_t index, nnc_weight_info *out_info);

/** Copies a weight out, or in, row-major in its declared shape. count is the
 * number of floats at `values` and must be the weight's. Writing must not
 * overlap with calls on the model's contexts. */
NNC_API nnc_status nnc_weight_read(const nnc_model *model, const char *name, float *out_values, int64_t count);
NNC_API nnc_status nnc_weight_write(nnc_model *model, const char *name, const float *values, int64_t count);

/** Sets every weight from a safetensors file (F32, F64, F16 or BF16). All or
 * nothing: on any error the model is as it was. Tensors that the network lacks
 * are an error, which names the first, unless their name begins with "nnc.". */
NNC_API nnc_status nnc_model_load(nnc_model *model, const char *path);

/** The same from memory. */
NNC_API nnc_status nnc_model_load_memory(nnc_model *model, const void *bytes, size_t size);

/** Writes every weight to a temporary file beside `path`, flushes it to the
 * disk and renames it: `path` holds the old file or the new one, whole. */
NNC_API nnc_status nnc_model_save(nnc_model *model, const char *path);

/*--- Contexts --------------------------------------------------------------*/

typedef struct nnc_context_options {
  void *memory;       /**< for the context, 64-byte aligned, or null */
  size_t memory_size; /**< at least nnc_context_memory_size */
  void *stream; /**< of a network for CUDA: the caller's CUstream of the primary context, or null for an own one */
} nnc_context_options;

/** Makes a context for batches of up to max_batch examples and, for each free
 * dimension of the network in order of declaration, lengths of up to
 * max_lengths[i] (null when it has none). After this no call allocates. */
NNC_API nnc_status nnc_context_create(nnc_model *model, const nnc_context_options *options, int64_t max_batch,
                                      const int64_t *max_lengths, nnc_context **out_context);
NNC_API void nnc_context_destroy(nnc_context *context);

/** Bytes that such a context needs from its caller; 0 when the arguments are
 * out of range. */
NNC_API size_t nnc_context_memory_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths);

/** As nnc_model_error, for the last failed call on this context. */
NNC_API const char *nnc_context_error(const nnc_context *context);

/** Sets the recurrent state of every example back to its start values. */
NNC_API nnc_status nnc_context_reset(nnc_context *context);

/*--- Calls -----------------------------------------------------------------*/

/** Runs a function of the network. The typed functions of the generated header
 * call this. lengths: the extent of each free dimension in this call. ragged:
 * for each free dimension the length of each example (batch values in
 * [0, length]), or null when all are full; the array itself may be null.
 * arguments: inputs, then outputs, in the order of declaration, each
 * [batch][free…][fixed…], row-major. */
NNC_API nnc_status nnc_run(nnc_context *context, int32_t function, int64_t batch, const int64_t *lengths,
                           const int32_t *const *ragged, void *const *arguments);

/*--- Training --------------------------------------------------------------*/

/** A context that can train, besides all that other contexts can. It holds the
 * gradients, what the optimizers keep, the steps, the epoch and the seed; the
 * weights are the model's. */
NNC_API nnc_status nnc_training_create(nnc_model *model, const nnc_context_options *options, int64_t max_batch,
                                       const int64_t *max_lengths, nnc_context **out_context);

/** As nnc_context_memory_size, for a context that can train. */
NNC_API size_t nnc_training_memory_size(const nnc_network *network, int64_t max_batch, const int64_t *max_lengths);

/** Bytes of workspace, of those, that one step of a train block computes in when it is called with this batch and
 * these lengths; 0 when the arguments are out of range. out_steps, which may be null, gets for each free dimension how
 * many steps the call goes through at a time, and keeps for the way back: those of a segment between checkpoints, of a
 * window of truncated back-propagation, else all. */
NNC_API size_t nnc_training_workspace_size(const nnc_network *network, int32_t train, int64_t batch,
                                           const int64_t *lengths, int64_t *out_steps);

/** One step of training on a batch: its gradients, then an update. `train` is
 * the index of the train block; the other parameters are those of nnc_run, with
 * inputs, labels and the loss as arguments. NNC_NUMERIC when the loss is not
 * finite: then weights, optimizer and step stay as they were. */
NNC_API nnc_status nnc_train_step(nnc_context *context, int32_t train, int64_t batch, const int64_t *lengths,
                                  const int32_t *const *ragged, void *const *arguments);

/** The gradients of a batch alone, and its loss. They are kept until the next
 * update. With accumulate they are added to those that are there already, so that
 * one update can follow many calls; else they replace them. After NNC_NUMERIC
 * those that were to be added to are still there. Calls on several contexts of a
 * model may run at once. */
NNC_API nnc_status nnc_train_gradients(nnc_context *context, int32_t train, int32_t accumulate, int64_t batch,
                                       const int64_t *lengths, const int32_t *const *ragged, void *const *arguments);

/** Changes the model's weights by the context's gradients, which it takes. Must
 * not overlap with any other call on the model or on its contexts. */
NNC_API nnc_status nnc_train_update(nnc_context *context, int32_t train);

/** Copies out the gradient of a weight: that of the loss over all examples since
 * the last update, their mean or sum as the train block says. Row-major in the
 * weight's declared shape; count is its number of elements. */
NNC_API nnc_status nnc_gradient_read(const nnc_context *context, int32_t train, const char *weight, float *out_values,
                                     int64_t count);

/** Moves the gradients of another context of the same network here, added to
 * those that are here. Running statistics become the other's only where no
 * gradients are here. */
NNC_API nnc_status nnc_gradients_add(nnc_context *context, nnc_context *other);

/** The epoch that rates depend on, 0 at first. */
NNC_API nnc_status nnc_training_set_epoch(nnc_context *context, int64_t epoch);
NNC_API int64_t nnc_training_epoch(const nnc_context *context);

/** How many updates the context has made. */
NNC_API int64_t nnc_training_step(const nnc_context *context);

/** How many examples' gradients wait for an update. */
NNC_API int64_t nnc_training_examples(const nnc_context *context);

/** Sets the seed of random numbers, such as those of dropout, and begins with
 * them anew. It is 0 at first; contexts that train together want different ones. */
NNC_API nnc_status nnc_training_seed(nnc_context *context, uint64_t seed);

/** Writes weights and all that training goes on from to a file, as
 * nnc_model_save does. Refused while gradients wait for an update, since they are
 * not part of it. nnc_model_load reads the weights of such a file. */
NNC_API nnc_status nnc_training_save(nnc_context *context, const char *path);

/** Reads such a file. What follows has the same bits as if training had not been
 * interrupted. All or nothing, as nnc_model_load; gradients that waited are gone. */
NNC_API nnc_status nnc_training_load(nnc_context *context, const char *path);

/*--- What becomes of values and errors in training ---------------------------*/
/* Of networks that nnc was asked for with -gradient-stats; of others NNC_UNSUPPORTED. */

/** A layer: what one place of the source computes. The error of its value is the gradient
 * of the loss, the batch's mean or sum as the train block says, with respect to it. Steps
 * past an example's end do not count. */
typedef struct nnc_layer_statistics {
  const char *layer;     /**< "encoder.dense1", "lstm1.c", "h": layers, then the value's name; "" where it has none */
  const char *operation; /**< what it computes: "dense", "tanh"; "input" of an input, which comes first */
  const char *source;    /**< where it stands: "lenet5.nn:8:7"; "" of what has no place of its own */
  int64_t not_finite;    /**< how many elements of the value are infinite or no number */
  float error;           /**< Euclidean norm of the error, over all examples and steps */
  float saturated;       /**< share of elements: of tanh |y| > 0.99, of sigmoid y < 0.01 or y > 0.99 */
  float dead;            /**< of relu: share of units, along the last dimension, that are 0 everywhere */
  /* The last three are -1 where there is no such number: no weight is before it, or it is another function. */
} nnc_layer_statistics;

/** How many layers a train block has, in the order in which they are computed; 0 without the option. */
NNC_API int32_t nnc_statistics_count(const nnc_network *network, int32_t train);

/** A layer in the last call on the context that computed gradients, which must be of this
 * train block, else NNC_INVALID_ARGUMENT. After NNC_NUMERIC it is what that call found.
 * Where back-propagation is truncated it is the last window of the call. */
NNC_API nnc_status nnc_statistics_at(nnc_context *context, int32_t train, int32_t index,
                                     nnc_layer_statistics *out_layer);

/** The first layer whose value is not finite everywhere, or, where all are, the first on
 * the way back whose error has no finite norm; NNC_NOT_FOUND when there is none. */
NNC_API nnc_status nnc_first_not_finite(nnc_context *context, int32_t train, nnc_layer_statistics *out_layer);

/** How errors flow back through the states of loops. The parameters are those of
 * nnc_train_step, the arguments those of the function nnc_train_info.flow: inputs, labels,
 * a step (int32_t, one), then outputs: the loss, and for each state of a loop as many
 * floats as the loop has steps. With a step of -1, number t of them is the Euclidean norm
 * of the gradient of the loss with respect to the state after step t, over all examples;
 * with a step s >= 0, the same of what step s adds to the loss, so that the calls with
 * all s give a matrix by loss step and state step. It is 0 past an example's end. Each
 * call goes through the network and back once. Sequences are gone through as a whole, also
 * where training truncates; nothing of the model or of training is changed. A step that
 * is not in range, or not -1 where the loss is no sum or mean over steps, is
 * NNC_INVALID_ARGUMENT. */
NNC_API nnc_status nnc_gradient_flow(nnc_context *context, int32_t train, int64_t batch, const int64_t *lengths,
                                     const int32_t *const *ragged, void *const *arguments);

/*--- How long kernels take --------------------------------------------------*/
/* Of networks that nnc was asked for with -profile; of others NNC_UNSUPPORTED. */

/** A group of operations that are computed together, at one place of a function: all its
 * calls on a context since it was made, or the profile was cleared. */
typedef struct nnc_group_profile {
  const char *function;   /**< "infer" */
  const char *kernel;     /**< "dense0"; equal groups share one */
  const char *operations; /**< "dense add tanh" */
  const char *layer;      /**< of the first operation: "encoder.dense1"; "" where it has none */
  const char *source;     /**< of the same: "lenet5.nn:8:7" */
  int64_t calls;
  double seconds; /**< in all calls, those of threads at once counted once */
  double flops;   /**< floating-point operations: two for a multiplication with an addition */
  double bytes;   /**< of all operands and results, each counted once a call */
} nnc_group_profile;

/** How many groups a network has; 0 without the option. */
NNC_API int32_t nnc_profile_count(const nnc_network *network);
NNC_API nnc_status nnc_profile_at(nnc_context *context, int32_t index, nnc_group_profile *out_group);

/** Forgets what was measured. */
NNC_API nnc_status nnc_profile_clear(nnc_context *context);

/** Writes the last calls, up to 65536 of kernels and functions, as a trace that chrome://tracing
 * and Perfetto show. */
NNC_API nnc_status nnc_profile_write_trace(nnc_context *context, const char *path);

/** Writes a table, a line a group that was called, the slowest first: time, operations and
 * bytes a second, and their shares of what this machine was measured to do just now with as
 * many threads. */
NNC_API nnc_status nnc_profile_write_table(nnc_context *context, const char *path);

/*--- What a network is, for programs that run any ---------------------------*/

/** One dimension of an argument. */
typedef struct nnc_extent {
  int32_t dim;  /**< what gives it: 0 the batch, i + 1 free dimension i; -1 it is fixed */
  int64_t size; /**< when fixed */
  /** Else it is (length + offset) / stride, rounded down, and at least 0. */
  int64_t offset, stride;
} nnc_extent;

typedef enum nnc_element {
  NNC_FLOAT = 0, /**< float */
  NNC_CLASS = 1, /**< int32_t, the number of a class */
  NNC_TRUTH = 2  /**< uint8_t, 0 or 1 */
} nnc_element;

typedef struct nnc_argument_info {
  const char *name;
  int32_t is_output;
  nnc_element element;
  int64_t classes; /**< of NNC_CLASS: it is in [0, classes); 0 when unknown */
  int32_t rank;
  const nnc_extent *extents; /**< outermost first, the batch among them */
} nnc_argument_info;

typedef struct nnc_function_info {
  const char *name;
  int32_t argument_count; /**< inputs, then outputs */
  int32_t is_step;        /**< it runs one step on the context's state */
} nnc_function_info;

/** How many examples an update is for. */
typedef enum nnc_batch { NNC_BATCH_ONLINE = 0, NNC_BATCH_MINI = 1, NNC_BATCH_FULL = 2 } nnc_batch;

typedef struct nnc_train_info {
  const char *name;
  const char *optimizer;
  int32_t gradients; /**< the function whose arguments a step takes: inputs, labels, loss */
  int32_t reduce_sum;
  nnc_batch batch;
  int64_t batch_size; /**< of NNC_BATCH_MINI */
  int32_t flow;       /**< the function whose arguments nnc_gradient_flow takes; -1 without -gradient-stats */
} nnc_train_info;

typedef struct nnc_free_dim_info {
  const char *name;
  int64_t bound; /**< the largest length; 0 when there is none */
} nnc_free_dim_info;

/** Null for a null network. */
NNC_API const char *nnc_network_name(const nnc_network *network);

/** The counts are 0 for a null network, and NNC_INVALID_ARGUMENT is for an index
 * out of range. */
NNC_API int32_t nnc_free_dim_count(const nnc_network *network);
NNC_API nnc_status nnc_free_dim_at(const nnc_network *network, int32_t index, nnc_free_dim_info *out_info);
NNC_API int32_t nnc_function_count(const nnc_network *network);
NNC_API nnc_status nnc_function_at(const nnc_network *network, int32_t index, nnc_function_info *out_info);
NNC_API nnc_status nnc_argument_at(const nnc_network *network, int32_t function, int32_t index,
                                   nnc_argument_info *out_info);
NNC_API int32_t nnc_train_count(const nnc_network *network);
NNC_API nnc_status nnc_train_at(const nnc_network *network, int32_t index, nnc_train_info *out_info);

/** The length of one dimension in a call with this batch and these lengths. */
NNC_API int64_t nnc_extent_length(const nnc_extent *extent, int64_t batch, const int64_t *lengths);

#ifdef __cplusplus
}
#endif

#endif /* NNC_RUNTIME_H */
