/*===- decode.c - From a file to pixels --------------------------------------===*/

#include "picture.h"

#include <png.h>
#include <turbojpeg.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MaxPixels = 1 << 26, MaxFile = 1 << 28 };

/** A whole file in memory. */
typedef struct Bytes {
  unsigned char *data; /* owned */
  size_t size;
} Bytes;

static int complain(const char *path, const char *why) {
  fprintf(stderr, "%s: %s\n", path, why);
  return 0;
}

static int readFile(const char *path, Bytes *out) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return complain(path, strerror(errno));
  size_t room = 0, got = 1;
  while (got && out->size < MaxFile) {
    if (out->size == room) {
      room = room ? 2 * room : 1 << 16;
      unsigned char *larger = realloc(out->data, room);
      if (!larger)
        break;
      out->data = larger;
    }
    got = fread(out->data + out->size, 1, room - out->size, file);
    out->size += got;
  }
  int failed = ferror(file), error = errno;
  fclose(file);
  if (failed)
    return complain(path, strerror(error));
  return got == 0 || complain(path, "is too large to be read");
}

static int makeRoom(const char *path, long width, long height, Picture *out) {
  if (width < 1 || height < 1 || width > MaxPixels / height) {
    fprintf(stderr, "%s: %ld by %ld pixels; between 1 and %d can be read\n", path, width, height, MaxPixels);
    return 0;
  }
  *out = (Picture){(int)width, (int)height, malloc((size_t)width * (size_t)height * Colours)};
  return out->pixels || complain(path, "does not fit in memory");
}

static int decodeJpeg(tjhandle decoder, const char *path, const Bytes *file, Picture *out) {
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder, file->data, file->size, &width, &height, &sampling, &colours) != 0)
    return complain(path, tjGetErrorStr2(decoder));
  if (width == 0) /* tables alone are a JPEG file, too */
    return complain(path, "has no picture");
  if (colours == TJCS_CMYK || colours == TJCS_YCCK)
    return complain(path, "its colours are those of a printer (CMYK); red, green and blue are wanted");
  if (!makeRoom(path, width, height, out))
    return 0;
  /* Warnings, such as of a file that ends too early, count: half a picture has another name. */
  return tjDecompress2(decoder, file->data, file->size, out->pixels, width, 0, height, TJPF_RGB,
                       TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) == 0 ||
         complain(path, tjGetErrorStr2(decoder));
}

static int readJpeg(const char *path, const Bytes *file, Picture *out) {
  tjhandle decoder = tjInitDecompress();
  if (!decoder)
    return complain(path, tjGetErrorStr2(NULL));
  int ok = decodeJpeg(decoder, path, file, out);
  tjDestroy(decoder);
  return ok;
}

/** libpng gives transparency, too; it is left out. */
static int decodePng(png_image *image, const char *path, Picture *out) {
  image->format = PNG_FORMAT_RGBA;
  if (!makeRoom(path, (long)image->width, (long)image->height, out))
    return 0;
  unsigned char *pixels = malloc(PNG_IMAGE_SIZE(*image));
  if (!pixels)
    return complain(path, "does not fit in memory");
  int ok = png_image_finish_read(image, NULL, pixels, 0, NULL) || complain(path, image->message);
  size_t count = (size_t)out->width * (size_t)out->height;
  for (size_t i = 0; ok && i < count; ++i)
    memcpy(out->pixels + i * Colours, pixels + i * 4, Colours);
  free(pixels);
  return ok;
}

static int readPng(const char *path, const Bytes *file, Picture *out) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, file->data, file->size))
    return complain(path, image.message);
  int ok = decodePng(&image, path, out);
  png_image_free(&image);
  return ok;
}

static int startsWith(const Bytes *file, const char *start, size_t length) {
  return file->size >= length && memcmp(file->data, start, length) == 0;
}

int loadPicture(const char *path, Picture *out) {
  *out = (Picture){0};
  Bytes file = {0};
  int ok = readFile(path, &file) &&
           (startsWith(&file, "\xFF\xD8", 2)            ? readJpeg(path, &file, out)
            : startsWith(&file, "\x89PNG\r\n\x1A\n", 8) ? readPng(path, &file, out)
                                                        : complain(path, "is no JPEG or PNG picture"));
  free(file.data);
  if (!ok)
    freePicture(out);
  return ok;
}

void freePicture(Picture *picture) {
  free(picture->pixels);
  *picture = (Picture){0};
}
