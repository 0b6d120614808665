/*===- offload_room.h - What a context has on a device --------------------------===*\
 *
 * Shared by the files that make the room, copy within it, and make calls in it.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_OFFLOAD_ROOM_H
#define NNC_OFFLOAD_ROOM_H

#include "offload.h"

/** Arguments up to this size are copied together. */
#define NNC_SMALL_BYTES 65536

/** Graphs that a context keeps, each for one function and one set of lengths. */
#define NNC_MAX_GRAPHS 32

/** What a call hands to the device, or takes from there. */
typedef struct nnc_item {
  const void *from; /**< of an input */
  void *to;         /**< of an output */
  size_t size;
  bool is_large;
  char *place; /**< on the device */
} nnc_item;

/** A graph, and what it was recorded for. */
typedef struct nnc_graph {
  void *graph; /**< null where a call was made, but not yet recorded */
  int32_t function;
  int64_t dims[NNC_MAX_FREE_DIMS + 1];
  const char *gradients, *slots;
  uint64_t used; /**< the number of the call that used it last; 0: free */
  bool fails;    /**< it cannot be recorded */
} nnc_graph;

typedef struct nnc_offload {
  nnc_queue *queue;
  char *memory;
  char *staging; /**< of arguments, on the device */
  char *pinned;  /**< small ones, on the host */
  size_t staging_size, pinned_size;
  nnc_item *items;
  void **arguments; /**< on the device */
  const int32_t **ragged;
  nnc_graph graphs[NNC_MAX_GRAPHS];
  uint64_t calls;
  char *mirror; /**< of nnc_kernels_fetch */
  size_t mirror_size;
} nnc_offload;

/** Where the next thing begins on the device. */
static inline size_t nnc_align_place(size_t size) { return (size + 255) & ~(size_t)255; }

/** Bytes of an argument in a call of such a batch and lengths. */
size_t nnc_argument_size(const nnc_argument *argument, const int64_t *dims);

/** How many lists of lengths a function reads. */
int32_t nnc_list_count(const nnc_network *network, const nnc_function *function);

/** The queue's failure as the context's, which is then over. */
nnc_status nnc_take_failure(nnc_queue *queue, const char *what, char *message);

/** Begins a piece of work of the context on its device; nnc_finish or nnc_end_call ends it. */
nnc_status nnc_begin(nnc_context *context);

#endif /* NNC_OFFLOAD_ROOM_H */
