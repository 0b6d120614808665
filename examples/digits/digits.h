/*===- digits.h - The handwritten digits that the examples read -------------===*\
 *
 * Pictures of 8 x 8 grey levels, 1297 to train on and 500 held out. extract.py
 * wrote digits.bin and says what is in it.
 *
\*===------------------------------------------------------------------------===*/

#ifndef NNC_EXAMPLES_DIGITS_H
#define NNC_EXAMPLES_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { DigitSize = 8, DigitPixels = 64, DigitInk = 16, DigitClasses = 10, ImageSize = 32, ImagePixels = 1024 };

typedef struct Digit {
  uint8_t pixels[DigitPixels]; /**< row by row, 0 (paper) to DigitInk */
  uint8_t label;               /**< 0 to 9 */
} Digit;

typedef struct Digits {
  Digit *all;     /**< owned */
  Digit *heldOut; /**< points into `all` */
  size_t trainCount, heldOutCount;
} Digits;

/** Reads a digits file. Returns 0, or prints why not and returns -1. Release
 * with freeDigits. */
int loadDigits(const char *path, Digits *out);
void freeDigits(Digits *digits);

/** The picture as ImageSize x ImageSize floats in [0, 1]: bilinear, edges
 * repeated. The arithmetic is on integers and the last division is exact, so
 * that digits.py gives the same bits. */
void upsampleDigit(const Digit *digit, float *image);

/** The grey levels as DigitPixels floats in [0, 1]. */
void scaleDigit(const Digit *digit, float *pixels);

/** Prints `rows` rows of the picture, two characters a pixel, each line after
 * `indent` spaces. */
void printDigit(FILE *file, const Digit *digit, int rows, int indent);

/** Index of the largest of `count` values; the first when several are. */
int largest(const float *values, int count);

/** Seconds of a clock that only goes forward. */
double now(void);

#ifdef __cplusplus
}
#endif

#endif /* NNC_EXAMPLES_DIGITS_H */
