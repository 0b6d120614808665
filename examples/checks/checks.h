/*===- checks.h - What every example checks: statuses and differences --------===*/

#ifndef NNC_EXAMPLES_CHECKS_H
#define NNC_EXAMPLES_CHECKS_H

#include <nnc/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Says whether a call succeeded; prints what was tried and why not when it did
 * not. `detail` is nnc_model_error's or nnc_context_error's text, or "". */
int succeeded(nnc_status status, const char *what, const char *detail);

/** The largest difference of `count` pairs; infinite when one is not a number. */
float farthest(const float *left, const float *right, size_t count);

/** Prints a difference, and says whether it is within its bound. */
int agree(const char *what, float difference, float bound);

/** Reads `count` little-endian floats, which must be the whole file. Returns a
 * buffer to free, or prints why not and returns null. */
float *readFloats(const char *path, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* NNC_EXAMPLES_CHECKS_H */
