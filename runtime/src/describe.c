/*===- describe.c - What a network is, for programs that run any --------------===*/

#include "internal.h"

const char *nnc_network_name(const nnc_network *network) { return network ? network->name : NULL; }

int32_t nnc_free_dim_count(const nnc_network *network) { return network ? network->free_dim_count : 0; }

nnc_status nnc_free_dim_at(const nnc_network *network, int32_t index, nnc_free_dim_info *out_info) {
  if (!out_info || index < 0 || index >= nnc_free_dim_count(network))
    return NNC_INVALID_ARGUMENT;
  *out_info = (nnc_free_dim_info){network->free_dim_names[index], network->free_dim_bounds[index]};
  return NNC_OK;
}

/*--- Functions -------------------------------------------------------------*/

int32_t nnc_function_count(const nnc_network *network) { return network ? network->function_count : 0; }

nnc_status nnc_function_at(const nnc_network *network, int32_t index, nnc_function_info *out_info) {
  if (!out_info || index < 0 || index >= nnc_function_count(network))
    return NNC_INVALID_ARGUMENT;
  const nnc_function *function = &network->functions[index];
  *out_info = (nnc_function_info){function->name, function->argument_count, (function->flags & NNC_FUNCTION_STEP) != 0};
  return NNC_OK;
}

nnc_status nnc_argument_at(const nnc_network *network, int32_t function, int32_t index, nnc_argument_info *out_info) {
  if (!out_info || function < 0 || function >= nnc_function_count(network) || index < 0 ||
      index >= network->functions[function].argument_count)
    return NNC_INVALID_ARGUMENT;
  const nnc_argument *argument = &network->functions[function].arguments[index];
  *out_info = (nnc_argument_info){argument->name,    argument->output, (nnc_element)argument->element,
                                  argument->classes, argument->rank,   argument->extents};
  return NNC_OK;
}

int64_t nnc_extent_length(const nnc_extent *extent, int64_t batch, const int64_t *lengths) {
  if (extent->dim < 0)
    return extent->size;
  int64_t length = (extent->dim == 0 ? batch : lengths[extent->dim - 1]) + extent->offset;
  return length > 0 ? length / extent->stride : 0;
}

/*--- Training --------------------------------------------------------------*/

int32_t nnc_train_count(const nnc_network *network) { return network ? network->train_count : 0; }

nnc_status nnc_train_at(const nnc_network *network, int32_t index, nnc_train_info *out_info) {
  if (!out_info || index < 0 || index >= nnc_train_count(network))
    return NNC_INVALID_ARGUMENT;
  const nnc_train *train = &network->trains[index];
  *out_info = (nnc_train_info){train->name,
                               train->optimizer,
                               train->gradients,
                               train->reduce_sum,
                               (nnc_batch)train->batch,
                               train->batch_size,
                               train->flow > 0 ? train->flow : -1};
  return NNC_OK;
}
