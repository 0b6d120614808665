/*===- digits.c - The handwritten digits that the examples read -------------===*/

#define _POSIX_C_SOURCE 199309L

#include "digits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HeaderSize = 16, MaxPictures = 1 << 20 };

static uint32_t littleEndian(const unsigned char *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/** The part of loadDigits between opening the file and closing it. */
static int readDigits(FILE *file, Digits *out) {
  unsigned char header[HeaderSize];
  if (fread(header, 1, HeaderSize, file) != HeaderSize || memcmp(header, "DIGITS1\n", 8) != 0)
    return -1;
  uint32_t train = littleEndian(header + 8), heldOut = littleEndian(header + 12);
  if (train > MaxPictures || heldOut > MaxPictures || train + heldOut == 0)
    return -1;
  size_t count = (size_t)train + heldOut;
  out->all = malloc(count * sizeof *out->all);
  if (!out->all)
    return -1;
  for (size_t i = 0; i < count; ++i) {
    unsigned char record[DigitPixels + 1];
    if (fread(record, 1, sizeof record, file) != sizeof record || record[DigitPixels] >= DigitClasses)
      return -1;
    memcpy(out->all[i].pixels, record, DigitPixels);
    out->all[i].label = record[DigitPixels];
  }
  out->trainCount = train;
  out->heldOutCount = heldOut;
  out->heldOut = out->all + train;
  return 0;
}

int loadDigits(const char *path, Digits *out) {
  memset(out, 0, sizeof *out);
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "cannot open %s\n", path);
    return -1;
  }
  int result = readDigits(file, out);
  fclose(file);
  if (result != 0) {
    fprintf(stderr, "%s is no digits file\n", path);
    freeDigits(out);
  }
  return result;
}

void freeDigits(Digits *digits) {
  free(digits->all);
  memset(digits, 0, sizeof *digits);
}

void upsampleDigit(const Digit *digit, float *image) {
  for (int y = 0; y < ImageSize; ++y)
    for (int x = 0; x < ImageSize; ++x) {
      /* In eighths of a source pixel, from the centre of the first to that of the last. */
      int row = 2 * y - 3, column = 2 * x - 3;
      row = row < 0 ? 0 : row > 56 ? 56 : row;
      column = column < 0 ? 0 : column > 56 ? 56 : column;
      int top = row / 8, bottom = top < 7 ? top + 1 : 7, down = row % 8;
      int left = column / 8, right = left < 7 ? left + 1 : 7, across = column % 8;
      const uint8_t *upper = digit->pixels + top * DigitSize, *lower = digit->pixels + bottom * DigitSize;
      int sum = (8 - down) * ((8 - across) * upper[left] + across * upper[right]) +
                down * ((8 - across) * lower[left] + across * lower[right]);
      image[y * ImageSize + x] = (float)sum / (64 * DigitInk);
    }
}

void scaleDigit(const Digit *digit, float *pixels) {
  for (int i = 0; i < DigitPixels; ++i)
    pixels[i] = (float)digit->pixels[i] / DigitInk;
}

void printDigit(FILE *file, const Digit *digit, int rows, int indent) {
  static const char shades[] = " .:-=+*#%@";
  for (int y = 0; y < rows; ++y) {
    fprintf(file, "%*s|", indent, "");
    for (int x = 0; x < DigitSize; ++x) {
      char shade = shades[digit->pixels[y * DigitSize + x] * (int)(sizeof shades - 2) / DigitInk];
      fprintf(file, "%c%c", shade, shade);
    }
    fprintf(file, "|\n");
  }
}

int largest(const float *values, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i)
    if (values[i] > values[best])
      best = i;
  return best;
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
