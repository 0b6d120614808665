/*===- profile.h - How long kernels take -------------------------------------===*/

#ifndef NNC_PROFILE_H
#define NNC_PROFILE_H

#include "nnc/network.h"

/** Events that a context remembers, the last ones: of kernels and of whole calls. */
#define NNC_PROFILE_EVENTS 65536

/** A call of a kernel, or of a function. */
typedef struct nnc_event {
  int64_t begin, end; /**< ns of the machine's clock */
  double flops, bytes;
  int32_t group; /**< index of the kernel's group; -1 - index of a function */
} nnc_event;

typedef struct nnc_group_total {
  int64_t calls, time; /**< ns */
  double flops, bytes;
} nnc_group_total;

/** What a context of a network that was compiled with -profile has measured. */
typedef struct nnc_profile {
  int64_t begin;       /**< of the kernel that runs */
  int64_t event_count; /**< since the profile was cleared, those forgotten included */
  nnc_group_total *totals;
  nnc_event *events;
} nnc_profile;

/** What a machine can do with all threads. */
typedef struct nnc_peak {
  double flops, bytes; /**< a second; 0 where it could not be measured */
} nnc_peak;

/** Measures it, which takes some hundredths of a second (peak.c). */
nnc_peak nnc_measure_peak(const nnc_model *model);

/** Nanoseconds of a clock that goes on steadily. */
int64_t nnc_now(void);

/** Notes a whole call of a function. */
void nnc_profile_function(nnc_context *context, int32_t function, int64_t begin);

#endif /* NNC_PROFILE_H */
