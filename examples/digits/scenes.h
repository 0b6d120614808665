/*===- scenes.h - Scenes that are made of handwritten digits -----------------===*\
 *
 * Rows of digits, films of one that moves, and albums of several. A scene's numbers come from one
 * generator, so that scenes.py makes the same ones.
 *
\*===------------------------------------------------------------------------===*/

#ifndef NNC_EXAMPLES_SCENES_H
#define NNC_EXAMPLES_SCENES_H

#include "digits.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RowHeight = 12, RowWidth = 48, RowPixels = 576, LongestRow = 5 };
enum { FrameSize = 16, FramePixels = 256, LongestFilm = 24 };

/** The next number below `count` of D. Knuth's MMIX generator. */
uint32_t draw(uint64_t *state, uint32_t count);

/** One to five digits side by side. */
typedef struct Row {
  float pixels[RowPixels]; /**< row by row, 0 (paper) to DigitInk */
  int labels[LongestRow];
  int count;
} Row;

void makeRow(const Digit *digits, size_t count, uint64_t *state, Row *out);

/** Prints a picture of grey levels, two pixels high a line, each line after `indent` spaces. */
void printPicture(FILE *file, const float *pixels, int height, int width, int indent);

/** What a digit has done since the frame before. */
typedef enum Action { Stands, MovesLeft, MovesRight, MovesUp, MovesDown, ActionCount } Action;

/** A digit that stands, or moves by a pixel a frame. */
typedef struct Film {
  float frames[LongestFilm][FramePixels]; /**< 0 (paper) to DigitInk */
  int32_t actions[LongestFilm];
  int length; /**< frames */
} Film;

void makeFilm(const Digit *digits, size_t count, uint64_t *state, Film *out);

enum { LongestAlbum = 6 };

/** Two to six digits, of which one in four is of the kind of the one before. */
typedef struct Album {
  Digit digits[LongestAlbum];
  int count;
} Album;

void makeAlbum(const Digit *digits, size_t count, uint64_t *state, Album *out);

#ifdef __cplusplus
}
#endif

#endif /* NNC_EXAMPLES_SCENES_H */
