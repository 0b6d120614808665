/*===- float_mode.h - How floats are rounded ---------------------------------===*\
 *
 * Inline, since steps of small networks have little but short loops, each of which
 * sets the mode.
 *
\*===----------------------------------------------------------------------===*/

#ifndef NNC_FLOAT_MODE_H
#define NNC_FLOAT_MODE_H

#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/** All traps masked, to nearest, FTZ and DAZ. */
#define NNC_FLOAT_MODE 0x9fc0u

/** Whether a state of the processor has that mode, beside flags of what happened. */
static inline bool nnc_float_mode_is_ours(unsigned mode) { return (mode & 0xffc0u) == NNC_FLOAT_MODE; }

/** Sets how floats are rounded: to nearest, denormals to zero, no traps. Gives
 * what nnc_float_mode_restore sets back. */
static inline unsigned nnc_float_mode_set(void) {
#if defined(__x86_64__)
  unsigned mode = _mm_getcsr();
  if (!nnc_float_mode_is_ours(mode)) /* setting it makes what follows wait */
    _mm_setcsr(NNC_FLOAT_MODE);
  return mode;
#else
  return 0;
#endif
}

static inline void nnc_float_mode_restore(unsigned mode) {
#if defined(__x86_64__)
  if (!nnc_float_mode_is_ours(mode))
    _mm_setcsr(mode);
#else
  (void)mode;
#endif
}

#endif /* NNC_FLOAT_MODE_H */
