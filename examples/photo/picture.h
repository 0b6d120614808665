/*===- picture.h - Photographs as networks are given them --------------------===*\
 *
 * Decodes JPEG (libjpeg-turbo) and PNG (libpng), and brings a picture into the form
 * that torchvision's networks were trained on: shorter side resized, middle cut out,
 * colours normalized. Pixels are those of torchvision's transforms on a PIL image, bit
 * by bit.
 *
\*===------------------------------------------------------------------------===*/

#ifndef NNC_EXAMPLES_PICTURE_H
#define NNC_EXAMPLES_PICTURE_H

#include <stdint.h>

/** Red, green, blue of each pixel, row by row. */
typedef struct Picture {
  int width, height;
  uint8_t *pixels; /**< owned */
} Picture;

enum { Colours = 3 };

/** Reads a JPEG or PNG file of up to 2^26 pixels. Transparency is left out.
 * Returns 1, or prints why not and returns 0. Release with freePicture. */
int loadPicture(const char *path, Picture *out);
void freePicture(Picture *picture);

typedef enum Filter { Bilinear, Bicubic } Filter;

/** Brings the shorter side to `size` pixels, the other in proportion. Returns 1, or
 * prints why not and returns 0. */
int resizePicture(const Picture *picture, int size, Filter filter, Picture *out);

/** Cuts out the middle, `size` by `size`, as values of (colour / 255 - mean) /
 * deviation of ImageNet's colours: size x size x 3 floats. The picture must be at
 * least as large. */
void normalizeMiddle(const Picture *picture, int size, float *values);

/** The same as how dark each pixel is, 0 (white) to 1: size x size floats. */
void darkenMiddle(const Picture *picture, int size, float *values);

#endif /* NNC_EXAMPLES_PICTURE_H */
