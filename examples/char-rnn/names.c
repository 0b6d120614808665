/*===- names.c - The names that char-rnn learns from ------------------------===*/

#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;'-";

const char *const languages[LanguageCount] = {"Chinese", "Croatian", "Dutch",     "English",    "Estonian", "Finnish",
                                              "French",  "German",   "Hungarian", "Indonesian", "Irish",    "Italian",
                                              "Polish",  "Slovak",   "Spanish",   "Swedish"};

int spellName(const char *text, Name *out) {
  out->length = 0;
  for (; *text; ++text) {
    const char *letter = strchr(alphabet, *text);
    if (!letter || out->length == LongestName)
      return -1;
    out->letters[out->length++] = (int32_t)(letter - alphabet);
  }
  return out->length > 0 ? 0 : -1;
}

/** Reads one line, which is changed. */
static int readName(char *line, Name *out) {
  line[strcspn(line, "\r\n")] = '\0';
  char *tab = strchr(line, '\t');
  if (!tab)
    return -1;
  *tab = '\0';
  for (out->language = 0; out->language < LanguageCount; ++out->language)
    if (strcmp(languages[out->language], line) == 0)
      return spellName(tab + 1, out);
  return -1;
}

/** The part of loadNames between opening the file and closing it. */
static int readNames(FILE *file, Names *out) {
  char line[256];
  size_t room = 0;
  while (fgets(line, sizeof line, file)) {
    if (out->count == room) {
      room = room ? 2 * room : 1024;
      Name *all = realloc(out->all, room * sizeof *all);
      if (!all)
        return -1;
      out->all = all;
    }
    if (readName(line, &out->all[out->count]) != 0)
      return -1;
    ++out->count;
  }
  return out->count > 0 && !ferror(file) ? 0 : -1;
}

int loadNames(const char *path, Names *out) {
  memset(out, 0, sizeof *out);
  FILE *file = fopen(path, "r");
  if (!file) {
    fprintf(stderr, "cannot open %s\n", path);
    return -1;
  }
  int result = readNames(file, out);
  fclose(file);
  if (result != 0) {
    fprintf(stderr, "%s: line %zu is no name with its language\n", path, out->count + 1);
    freeNames(out);
  }
  return result;
}

void freeNames(Names *names) {
  free(names->all);
  memset(names, 0, sizeof *names);
}

/** The next number of a stream: SplitMix64 (Steele, Lea & Flood, 2014). */
static uint64_t next(uint64_t *state) {
  uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return mixed ^ mixed >> 31;
}

void shuffleNames(Names *names, uint64_t seed) {
  for (size_t last = names->count; last-- > 1;) {
    size_t other = (size_t)(next(&seed) % (last + 1));
    Name kept = names->all[last];
    names->all[last] = names->all[other];
    names->all[other] = kept;
  }
}
