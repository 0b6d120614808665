/*===- names.c - The names of classes ----------------------------------------===*/

#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MaxText = 1 << 22 };

static int complain(const char *path, const char *why) {
  fprintf(stderr, "%s: %s\n", path, why);
  return 0;
}

/** The whole file as one text. */
static char *readText(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    return NULL;
  }
  char *text = malloc(MaxText);
  size_t size = text ? fread(text, 1, MaxText - 1, file) : 0;
  int whole = text && feof(file);
  fclose(file);
  if (!whole) {
    complain(path, "cannot be read as a list of names");
    free(text);
    return NULL;
  }
  text[size] = '\0';
  return text;
}

/** Cuts the text into lines, as many as are wanted; gives how many there are. */
static size_t cutLines(char *text, char **lines, size_t wanted) {
  size_t count = 0;
  for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n"), ++count)
    if (count < wanted)
      lines[count] = line;
  return count;
}

int loadNames(const char *path, size_t count, Names *out) {
  *out = (Names){calloc(count, sizeof(char *)), readText(path), count};
  if (out->all && out->text) {
    size_t found = cutLines(out->text, out->all, count);
    if (found == count)
      return 1;
    fprintf(stderr, "%s has %zu names; the network has %zu classes\n", path, found, count);
  }
  freeNames(out);
  return 0;
}

void freeNames(Names *names) {
  free(names->text);
  free(names->all);
  *names = (Names){0};
}
