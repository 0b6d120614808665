/*===- prepare.c - From pixels to what a network is given --------------------===*\
 *
 * Resizing is that of Pillow, on which torchvision's transforms rest: each pixel is
 * a weighted mean of those under a filter that is as wide as the picture shrinks, first
 * along rows, then along columns, both times rounded to 8 bits.
 *
\*===------------------------------------------------------------------------===*/

#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/*--- Filters ---------------------------------------------------------------*/

/** Weights are numbers of this many binary digits behind the point; so many pixels can be made. */
enum { WeightBits = 22, MaxResized = 1 << 26 };

static double bilinear(double x) { return fabs(x) < 1 ? 1 - fabs(x) : 0; }

/** Keys's, with a = -1/2. */
static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Which source pixels, in one direction, each pixel is made of. */
typedef struct Windows {
  int width;    /* the most pixels of a window */
  int *first;   /* of each window: owned */
  int *count;   /* how many */
  int *weights; /* `width` a window */
} Windows;

static void freeWindows(Windows *windows) {
  free(windows->first);
  free(windows->count);
  free(windows->weights);
}

static void fillWindow(const Windows *windows, int at, double centre, double scale, int first, int count,
                       double (*weigh)(double)) {
  int *weights = windows->weights + (size_t)at * (size_t)windows->width;
  double sum = 0;
  for (int i = 0; i < count; ++i)
    sum += weigh((first + i - centre + 0.5) * (1 / scale));
  for (int i = 0; i < count; ++i) {
    double weight = weigh((first + i - centre + 0.5) * (1 / scale)) / sum * (1 << WeightBits);
    weights[i] = (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
  }
  windows->first[at] = first;
  windows->count[at] = count;
}

static int makeWindows(int from, int to, Filter filter, Windows *out) {
  double (*weigh)(double) = filter == Bilinear ? bilinear : bicubic;
  double step = (double)from / to, scale = step < 1 ? 1 : step;
  double reach = (filter == Bilinear ? 1 : 2) * scale;
  out->width = 2 * (int)ceil(reach) + 1;
  out->first = malloc((size_t)to * sizeof *out->first);
  out->count = malloc((size_t)to * sizeof *out->count);
  out->weights = calloc((size_t)to * (size_t)out->width, sizeof *out->weights);
  if (!out->first || !out->count || !out->weights)
    return 0;
  for (int at = 0; at < to; ++at) {
    double centre = (at + 0.5) * step;
    int first = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
    first = first < 0 ? 0 : first;
    end = end > from ? from : end;
    fillWindow(out, at, centre, scale, first, end - first, weigh);
  }
  return 1;
}

/*--- Resizing --------------------------------------------------------------*/

static uint8_t clip(int64_t sum) {
  sum >>= WeightBits;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/** Resizes along one direction. `stride` is from a pixel to the next in it, `across`
 * from a line to the next, both in colours; `out` has the same with outStride, outAcross. */
static void resizeLines(const uint8_t *pixels, size_t stride, size_t across, const Windows *windows, int count,
                        int lines, uint8_t *out, size_t outStride, size_t outAcross) {
  for (int line = 0; line < lines; ++line)
    for (int at = 0; at < count; ++at)
      for (int colour = 0; colour < Colours; ++colour) {
        const uint8_t *from = pixels + (size_t)line * across + (size_t)windows->first[at] * stride + colour;
        const int *weights = windows->weights + (size_t)at * (size_t)windows->width;
        int64_t sum = (int64_t)1 << (WeightBits - 1);
        for (int i = 0; i < windows->count[at]; ++i)
          sum += (int64_t)weights[i] * from[(size_t)i * stride];
        out[(size_t)line * outAcross + (size_t)at * outStride + (size_t)colour] = clip(sum);
      }
}

static int resizeBoth(const Picture *picture, const Windows *across, const Windows *down, Picture *out) {
  size_t row = (size_t)picture->width * Colours, outRow = (size_t)out->width * Colours;
  uint8_t *between = malloc(outRow * (size_t)picture->height);
  out->pixels = malloc(outRow * (size_t)out->height);
  if (between && out->pixels) {
    resizeLines(picture->pixels, Colours, row, across, out->width, picture->height, between, Colours, outRow);
    resizeLines(between, outRow, Colours, down, out->height, out->width, out->pixels, outRow, Colours);
  }
  int ok = between && out->pixels;
  free(between);
  return ok;
}

int resizePicture(const Picture *picture, int size, Filter filter, Picture *out) {
  int shorter = picture->width < picture->height ? picture->width : picture->height;
  int64_t width = (int64_t)size * picture->width / shorter, height = (int64_t)size * picture->height / shorter;
  *out = (Picture){0};
  Windows across = {0}, down = {0};
  int ok = width * height <= MaxResized;
  if (ok) {
    *out = (Picture){(int)width, (int)height, NULL};
    ok = makeWindows(picture->width, out->width, filter, &across) &&
         makeWindows(picture->height, out->height, filter, &down) && resizeBoth(picture, &across, &down, out);
  }
  freeWindows(&across);
  freeWindows(&down);
  if (ok)
    return 1;
  fprintf(stderr, "a picture of %d by %d pixels is too long to be resized to %lld by %lld\n", picture->width,
          picture->height, (long long)width, (long long)height);
  freePicture(out);
  return 0;
}

/*--- The middle ------------------------------------------------------------*/

/** The first pixel of the middle's row. Halves are rounded to even numbers, as Python's round. */
static const uint8_t *middleRow(const Picture *picture, int size, int row) {
  long top = lrint((picture->height - size) / 2.0), left = lrint((picture->width - size) / 2.0);
  return picture->pixels + ((size_t)(top + row) * (size_t)picture->width + (size_t)left) * Colours;
}

void normalizeMiddle(const Picture *picture, int size, float *values) {
  static const float mean[Colours] = {0.485f, 0.456f, 0.406f}, deviation[Colours] = {0.229f, 0.224f, 0.225f};
  for (int y = 0; y < size; ++y) {
    const uint8_t *row = middleRow(picture, size, y);
    for (int i = 0; i < size * Colours; ++i)
      *values++ = ((float)row[i] / 255 - mean[i % Colours]) / deviation[i % Colours];
  }
}

void darkenMiddle(const Picture *picture, int size, float *values) {
  for (int y = 0; y < size; ++y) {
    const uint8_t *row = middleRow(picture, size, y);
    for (int x = 0; x < size; ++x, row += Colours) /* the luma of ITU-R 601 */
      *values++ = 1 - (0.299f * (float)row[0] + 0.587f * (float)row[1] + 0.114f * (float)row[2]) / 255;
  }
}
