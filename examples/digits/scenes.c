/*===- scenes.c - Scenes that are made of handwritten digits -----------------===*/

#include "scenes.h"

#include <string.h>

uint32_t draw(uint64_t *state, uint32_t count) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((*state >> 33) % count);
}

/** Where two digits meet, the darker counts. */
static void paint(float *picture, int width, const Digit *digit, int top, int left) {
  for (int y = 0; y < DigitSize; ++y)
    for (int x = 0; x < DigitSize; ++x) {
      float *pixel = &picture[(top + y) * width + left + x], ink = digit->pixels[DigitSize * y + x];
      *pixel = ink > *pixel ? ink : *pixel;
    }
}

void makeRow(const Digit *digits, size_t count, uint64_t *state, Row *out) {
  memset(out, 0, sizeof *out);
  out->count = 1 + (int)draw(state, LongestRow);
  int slack = RowWidth - DigitSize * out->count, left = 0;
  for (int i = 0; i < out->count; ++i) {
    int most = i == 0 || slack < 3 ? slack : 3, gap = (int)draw(state, (uint32_t)most + 1);
    slack -= gap;
    left += gap;
    const Digit *digit = &digits[draw(state, (uint32_t)count)];
    paint(out->pixels, RowWidth, digit, (int)draw(state, RowHeight - DigitSize + 1), left);
    out->labels[i] = digit->label;
    left += DigitSize;
  }
}

void printPicture(FILE *file, const float *pixels, int height, int width, int indent) {
  static const char shades[] = " .:-=+*#@";
  for (int y = 0; y < height; y += 2) {
    fprintf(file, "%*s", indent, "");
    for (int x = 0; x < width; ++x)
      fputc(shades[(int)((pixels[y * width + x] + pixels[(y + 1) * width + x]) / (2 * DigitInk) * 8)], file);
    fputc('\n', file);
  }
}

/*--- Films -----------------------------------------------------------------*/

static const int across[ActionCount] = {0, -1, 1, 0, 0}, down[ActionCount] = {0, 0, 0, -1, 1};

static int fits(int top, int left, int action) {
  enum { Room = FrameSize - DigitSize };
  top += down[action];
  left += across[action];
  return top >= 0 && top <= Room && left >= 0 && left <= Room;
}

void makeFilm(const Digit *digits, size_t count, uint64_t *state, Film *out) {
  memset(out, 0, sizeof *out);
  const Digit *digit = &digits[draw(state, (uint32_t)count)];
  int top = (int)draw(state, FrameSize - DigitSize + 1), left = (int)draw(state, FrameSize - DigitSize + 1);
  int action = Stands, steps = 1;
  out->length = 8 + (int)draw(state, LongestFilm - 7);
  for (int t = 0; t < out->length; ++t) {
    if (steps == 0 || !fits(top, left, action)) {
      action = (int)draw(state, ActionCount);
      steps = 2 + (int)draw(state, 5);
      if (!fits(top, left, action))
        action = Stands;
    }
    top += down[action];
    left += across[action];
    --steps;
    paint(out->frames[t], FrameSize, digit, top, left);
    out->actions[t] = action;
  }
}

/*--- Albums ----------------------------------------------------------------*/

void makeAlbum(const Digit *digits, size_t count, uint64_t *state, Album *out) {
  out->count = 2 + (int)draw(state, LongestAlbum - 1);
  for (int i = 0; i < out->count; ++i) {
    const Digit *digit = &digits[draw(state, (uint32_t)count)];
    int repeats = draw(state, 4) == 0;
    while (repeats && i > 0 && digit->label != out->digits[i - 1].label)
      digit = &digits[draw(state, (uint32_t)count)];
    out->digits[i] = *digit;
  }
}
