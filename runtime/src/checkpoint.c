/*===- checkpoint.c - What a file of weights holds ----------------------------===*/

#include "checkpoint.h"

#include <stdio.h>
#include <string.h>

/*--- Sections --------------------------------------------------------------*/

int32_t nnc_section_count(const nnc_checkpoint *checkpoint) {
  return 1 + (checkpoint->training ? nnc_slot_count(checkpoint->model->network) : 0);
}

nnc_section nnc_section_at(const nnc_checkpoint *checkpoint, int32_t index) {
  const nnc_network *network = checkpoint->model->network;
  if (index == 0)
    return (nnc_section){"", checkpoint->model->weights, network->weights_size, false};
  nnc_section section = {.size = network->trainable_size, .is_trained = true};
  section.memory = checkpoint->slots + (index - 1) * network->trainable_size;
  snprintf(section.prefix, sizeof section.prefix, "nnc.slot%d.", (int)(index - 1));
  return section;
}

bool nnc_section_has(const nnc_section *section, const nnc_weight *weight) {
  return !section->is_trained || weight->trainable;
}

/*--- Counters --------------------------------------------------------------*/

int32_t nnc_counter_count(const nnc_checkpoint *checkpoint) { return checkpoint->training ? 4 : 0; }

nnc_counter nnc_counter_at(const nnc_checkpoint *checkpoint, int32_t index) {
  nnc_training *training = checkpoint->training;
  switch (index) {
  case 0:
    return (nnc_counter){"nnc.step", training->steps, checkpoint->model->network->train_count, true};
  case 1:
    return (nnc_counter){"nnc.epoch", &training->epoch, 1, true};
  case 2:
    return (nnc_counter){"nnc.calls", &training->calls, 1, true};
  default:
    return (nnc_counter){"nnc.seed", (int64_t *)&training->seed, 1, false};
  }
}

/*--- Names -----------------------------------------------------------------*/

bool nnc_checkpoint_has(const nnc_checkpoint *checkpoint, const char *name) {
  for (int32_t i = 0; i < nnc_counter_count(checkpoint); ++i)
    if (strcmp(nnc_counter_at(checkpoint, i).name, name) == 0)
      return true;
  for (int32_t i = 0; i < nnc_section_count(checkpoint); ++i) {
    nnc_section section = nnc_section_at(checkpoint, i);
    size_t length = strlen(section.prefix);
    const nnc_weight *weight = NULL;
    if (strncmp(section.prefix, name, length) == 0)
      weight = nnc_weight_find(checkpoint->model->network, name + length);
    if (weight && nnc_section_has(&section, weight))
      return true;
  }
  return false;
}
