/*===- layout.c - Blocks of memory in parts ----------------------------------===*/

#include "internal.h"

#include <stdlib.h>

/** Rounds up to the alignment; sets the layout's overflow where that is too much. */
static void nnc_layout_align(nnc_layout *layout) {
  size_t size;
  if (__builtin_add_overflow(layout->size, (size_t)NNC_ALIGNMENT - 1, &size))
    layout->overflow = true;
  else
    layout->size = size & ~(size_t)(NNC_ALIGNMENT - 1);
}

size_t nnc_layout_add(nnc_layout *layout, int64_t count, size_t element_size) {
  nnc_layout_align(layout);
  size_t offset = layout->size, bytes;
  if (count < 0 || __builtin_mul_overflow((uint64_t)count, element_size, &bytes) ||
      __builtin_add_overflow(offset, bytes, &layout->size))
    layout->overflow = true;
  return offset;
}

size_t nnc_layout_finish(nnc_layout *layout) {
  nnc_layout_align(layout);
  return layout->overflow || layout->size > PTRDIFF_MAX ? 0 : layout->size;
}

void *nnc_memory_take(void *memory, size_t memory_size, size_t size, nnc_status *out_status) {
  *out_status = NNC_OK;
  if (!memory) {
    memory = aligned_alloc(NNC_ALIGNMENT, size);
    if (!memory)
      *out_status = NNC_OUT_OF_MEMORY;
  } else if ((uintptr_t)memory % NNC_ALIGNMENT != 0) {
    *out_status = NNC_INVALID_ARGUMENT;
  } else if (memory_size < size) {
    *out_status = NNC_OUT_OF_MEMORY;
  }
  return *out_status ? NULL : memory;
}
