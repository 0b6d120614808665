/*===- multiply_add.h - How fast the machine multiplies and adds ------------===*/

#ifndef NNC_RUNTIME_MULTIPLY_ADD_H
#define NNC_RUNTIME_MULTIPLY_ADD_H

#include "nnc/runtime.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Multiply-adds on registers alone, enough of them in flight to hide their latency, so
 * many rounds of them. Gives the number of operations done; a multiply-add is two. The
 * machine must have the instructions. */
double nnc_multiply_add(nnc_isa isa, int64_t rounds);

#ifdef __cplusplus
}
#endif

#endif /* NNC_RUNTIME_MULTIPLY_ADD_H */
