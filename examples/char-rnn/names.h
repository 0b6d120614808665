/*===- names.h - The names that char-rnn learns from ------------------------===*\
 *
 * Letters and languages are numbered as in names/convert.py.
 *
\*===------------------------------------------------------------------------===*/

#ifndef NNC_EXAMPLES_NAMES_H
#define NNC_EXAMPLES_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { LetterCount = 58, LanguageCount = 16, LongestName = 64 };

extern const char *const languages[LanguageCount];

typedef struct Name {
  int32_t letters[LongestName];
  int32_t length;
  int32_t language;
} Name;

typedef struct Names {
  Name *all; /**< owned */
  size_t count;
} Names;

/** Numbers the letters of a text. Returns 0, or -1 when it has none, too many, or
 * one that is not known. */
int spellName(const char *text, Name *out);

/** Reads a file of lines `language<TAB>name`. Returns 0, or prints why not and
 * returns -1. Release with freeNames. */
int loadNames(const char *path, Names *out);
void freeNames(Names *names);

/** Brings the names into an order that depends on `seed` alone. */
void shuffleNames(Names *names, uint64_t seed);

#endif /* NNC_EXAMPLES_NAMES_H */
