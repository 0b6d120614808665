/*===- checkpoint.h - What a file of weights holds ----------------------------===*\
 *
 * Of a model its weights. Of a context that trains also what the optimizers keep
 * of each weight, and counters; the names of these tensors begin with "nnc.".
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_CHECKPOINT_H
#define NNC_CHECKPOINT_H

#include "internal.h"

typedef struct nnc_checkpoint {
  nnc_model *model;
  nnc_training *training; /**< or null */
  char *slots;            /**< of the optimizers, where the host has them */
} nnc_checkpoint;

/** A tensor of floats for each weight, or each that is trained, in the weights'
 * layout. */
typedef struct nnc_section {
  char prefix[32]; /**< of the tensors' names; a weight's follows */
  char *memory;
  int64_t size;    /**< bytes of memory */
  bool is_trained; /**< of weights that are trained alone */
} nnc_section;

/** A tensor of whole numbers. */
typedef struct nnc_counter {
  const char *name;
  int64_t *values;
  int64_t count;
  bool is_natural; /**< no value is negative */
} nnc_counter;

int32_t nnc_section_count(const nnc_checkpoint *checkpoint);
nnc_section nnc_section_at(const nnc_checkpoint *checkpoint, int32_t index);

/** Whether a section has a tensor for this weight. */
bool nnc_section_has(const nnc_section *section, const nnc_weight *weight);

int32_t nnc_counter_count(const nnc_checkpoint *checkpoint);
nnc_counter nnc_counter_at(const nnc_checkpoint *checkpoint, int32_t index);

/** Whether a checkpoint has a tensor of this name. */
bool nnc_checkpoint_has(const nnc_checkpoint *checkpoint, const char *name);

#endif /* NNC_CHECKPOINT_H */
