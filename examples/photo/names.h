/*===- names.h - The names of classes ----------------------------------------===*/

#ifndef NNC_EXAMPLES_PHOTO_NAMES_H
#define NNC_EXAMPLES_PHOTO_NAMES_H

#include <stddef.h>

typedef struct Names {
  char **all; /**< owned, and what they point at, which is `text` */
  char *text;
  size_t count;
} Names;

/** Reads a file with `count` names, one a line. Returns 1, or prints why not and
 * returns 0. Release with freeNames. */
int loadNames(const char *path, size_t count, Names *out);
void freeNames(Names *names);

#endif /* NNC_EXAMPLES_PHOTO_NAMES_H */
