/*===- weights.h - Whose weights a network has -------------------------------===*/

#ifndef NNC_EXAMPLES_WEIGHTS_H
#define NNC_EXAMPLES_WEIGHTS_H

/** Where a file of weights says that they are from: `origin` of its metadata, which
 * tools/weights/from_torch.py writes. Returns a text to free, or null where it says
 * nothing. */
char *originOfWeights(const char *path);

#endif /* NNC_EXAMPLES_WEIGHTS_H */
