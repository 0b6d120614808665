/* Doubles four numbers with a network. */

#include <stdio.h>

#ifdef OTHER
#include "other.h"
#define twice(name) other_##name
#else
#include "twice.h"
#define twice(name) twice_##name
#endif

int main(void) {
  const float x[] = {1, 2, 3, 4.5f};
  float y[4];
  nnc_model *model = NULL;
  nnc_context *context = NULL;
  if (twice(create)(NULL, &model) != NNC_OK || twice(context_create)(model, 1, &context) != NNC_OK ||
      twice(infer)(context, 1, x, y) != NNC_OK)
    return 1;
  printf("%g %g %g %g\n", (double)y[0], (double)y[1], (double)y[2], (double)y[3]);
  twice(context_destroy)(context);
  twice(destroy)(model);
  return 0;
}
