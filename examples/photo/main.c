/*===- photo/main.c - A picture in, names out --------------------------------===*\
 *
 * Links five networks that nnc compiled, and says what photographs show.
 *
 *   photo-demo NETWORK [OPTION...] PHOTOGRAPH...
 *
 *     NETWORK           lenet5, alexnet, vgg16, googlenet or resnet152
 *     -weights FILE     what it has learned (see tools/weights/from_torch.py)
 *     -names FILE       names of the classes, one a line
 *     -resize N         pixels of the shorter side before the middle is cut out
 *     -bicubic          resizes by cubics, not linearly
 *     -input FILE       writes what the network is given, little-endian floats
 *     -logits FILE      writes what it answers
 *
 * Without arguments LeNet-5 reads a digit, and GoogLeNet looks at two photographs.
 *
\*===------------------------------------------------------------------------===*/

#include "alexnet.h"
#include "checks.h"
#include "googlenet.h"
#include "lenet5.h"
#include "names.h"
#include "picture.h"
#include "resnet152.h"
#include "vgg16.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Best = 5, Seed = 1 };

/** A network, and what pictures it is used to. */
typedef struct Kind {
  const char *name;
  const nnc_network *network;
  int resize;          /* pixels of the shorter side */
  int isGrey;          /* it reads how dark each pixel is, not its colours */
  const char *weights; /* beside the program, or null */
  const char *names;   /* of its classes; null: they are numbers */
} Kind;

#define IMAGENET NNC_EXAMPLES_DIR "/photo/imagenet.names"

static const Kind kinds[] = {
    {"lenet5", &lenet5_network, 32, 1, NNC_EXAMPLES_DIR "/lenet5/lenet5.safetensors", NULL},
    {"alexnet", &alexnet_network, 256, 0, NULL, IMAGENET},
    {"vgg16", &vgg16_network, 256, 0, NULL, IMAGENET},
    {"googlenet", &googlenet_network, 256, 0, NULL, IMAGENET},
    {"resnet152", &resnet152_network, 256, 0, NULL, IMAGENET},
};
enum { KindCount = sizeof kinds / sizeof *kinds };

/** What the command line says. */
typedef struct Options {
  const Kind *kind;
  const char *weights, *names, *input, *logits;
  int resize;
  Filter filter;
  char **photographs;
  int count;
} Options;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Viewer {
  nnc_model *model;
  nnc_context *context;
  Names names;
  int size;               /* of the square that the network reads */
  size_t values, classes; /* of one image; of one answer */
  float *image, *y, *logits;
  FILE *inputs, *answers;
} Viewer;

/*--- The network -----------------------------------------------------------*/

/** Says whose weights the network has: those of a file, or nobody's. */
static int loadWeights(Viewer *viewer, const Options *options) {
  if (!options->weights) {
    printf("%s with random weights of seed %d: it has learned nothing, and its names mean nothing\n",
           options->kind->name, Seed);
    return 1;
  }
  nnc_status status = nnc_model_load(viewer->model, options->weights);
  if (!succeeded(status, "loading the weights", nnc_model_error(viewer->model)))
    return 0;
  char *origin = originOfWeights(options->weights);
  printf("%s with weights of %s, %s%s\n", options->kind->name, options->weights, origin ? "from " : "",
         origin ? origin : "which does not say whose they are");
  free(origin);
  return 1;
}

static int open(const char *path, FILE **out) {
  *out = path ? fopen(path, "wb") : NULL;
  if (path && !*out)
    perror(path);
  return !path || *out;
}

static int begin(Viewer *viewer, const Options *options) {
  const nnc_network *network = options->kind->network;
  nnc_argument_info image, y;
  if (!succeeded(nnc_argument_at(network, 0, 0, &image), options->kind->name, "") ||
      !succeeded(nnc_argument_at(network, 0, 1, &y), options->kind->name, ""))
    return 0;
  viewer->size = (int)image.extents[1].size;
  viewer->values = (size_t)(image.extents[1].size * image.extents[2].size * image.extents[3].size);
  viewer->classes = (size_t)y.extents[1].size;
  if (options->resize < viewer->size) {
    fprintf(stderr, "%s reads %d by %d pixels: -resize %d is less\n", options->kind->name, viewer->size, viewer->size,
            options->resize);
    return 0;
  }
  viewer->image = malloc(viewer->values * sizeof(float));
  viewer->y = malloc(viewer->classes * sizeof(float));
  viewer->logits = malloc(viewer->classes * sizeof(float));
  if (!viewer->image || !viewer->y || !viewer->logits || !open(options->input, &viewer->inputs) ||
      !open(options->logits, &viewer->answers) ||
      (options->names && !loadNames(options->names, viewer->classes, &viewer->names)))
    return 0;
  nnc_model_options model = {.seed = Seed};
  if (!succeeded(nnc_model_create(network, &model, &viewer->model), "making the network", nnc_model_error(NULL)) ||
      !loadWeights(viewer, options))
    return 0;
  return succeeded(nnc_context_create(viewer->model, NULL, 1, NULL, &viewer->context), "making room to run",
                   nnc_model_error(viewer->model));
}

static void end(Viewer *viewer) {
  nnc_context_destroy(viewer->context);
  nnc_model_destroy(viewer->model);
  freeNames(&viewer->names);
  free(viewer->image);
  free(viewer->y);
  free(viewer->logits);
  if (viewer->inputs)
    fclose(viewer->inputs);
  if (viewer->answers)
    fclose(viewer->answers);
}

/*--- A photograph ----------------------------------------------------------*/

static int prepare(Viewer *viewer, const Options *options, const char *path) {
  Picture picture, resized;
  if (!loadPicture(path, &picture))
    return 0;
  int ok = resizePicture(&picture, options->resize, options->filter, &resized);
  if (ok) {
    if (options->kind->isGrey)
      darkenMiddle(&resized, viewer->size, viewer->image);
    else
      normalizeMiddle(&resized, viewer->size, viewer->image);
    freePicture(&resized);
  }
  freePicture(&picture);
  return ok;
}

/** Prints the likeliest classes, the first of equals first. */
static void printBest(const Viewer *viewer) {
  int said[Best];
  for (int place = 0; place < Best; ++place) {
    int best = -1;
    for (size_t c = 0; c < viewer->classes; ++c) {
      int isSaid = 0;
      for (int i = 0; i < place; ++i)
        isSaid |= said[i] == (int)c;
      if (!isSaid && (best < 0 || viewer->y[c] > viewer->y[best]))
        best = (int)c;
    }
    said[place] = best;
    printf("  %5.1f %%  ", 100 * (double)viewer->y[best]);
    if (viewer->names.count)
      printf("%s\n", viewer->names.all[best]);
    else
      printf("%d\n", best);
  }
}

static int wrote(FILE *file, const float *values, size_t count) {
  if (!file || fwrite(values, sizeof *values, count, file) == count)
    return 1;
  perror("writing");
  return 0;
}

static int look(Viewer *viewer, const Options *options, const char *path) {
  if (!prepare(viewer, options, path))
    return 0;
  void *arguments[] = {viewer->image, viewer->y, viewer->logits};
  nnc_status status = nnc_run(viewer->context, 0, 1, NULL, NULL, arguments);
  if (!succeeded(status, path, nnc_context_error(viewer->context)))
    return 0;
  printf("%s\n", path);
  printBest(viewer);
  return wrote(viewer->inputs, viewer->image, viewer->values) &&
         wrote(viewer->answers, viewer->logits, viewer->classes);
}

static int lookAtAll(const Options *options) {
  Viewer viewer = {0};
  int ok = begin(&viewer, options);
  for (int i = 0; ok && i < options->count; ++i)
    ok = look(&viewer, options, options->photographs[i]);
  end(&viewer);
  return ok;
}

/*--- The command line ------------------------------------------------------*/

static int usage(const char *why, const char *what) {
  fprintf(stderr,
          "%s%s\nusage: photo-demo NETWORK [-weights FILE] [-names FILE] [-resize N] [-bicubic] [-input FILE] "
          "[-logits FILE] PHOTOGRAPH...\n  NETWORK is one of",
          why, what);
  for (int i = 0; i < KindCount; ++i)
    fprintf(stderr, " %s", kinds[i].name);
  fprintf(stderr, "\n");
  return 0;
}

static int parseOption(Options *options, const char *name, const char *value, int *out_used) {
  *out_used = 2;
  if (strcmp(name, "-bicubic") == 0) {
    options->filter = Bicubic;
    *out_used = 1;
  } else if (!value)
    return usage("a value is missing behind ", name);
  else if (strcmp(name, "-weights") == 0)
    options->weights = value;
  else if (strcmp(name, "-names") == 0)
    options->names = value;
  else if (strcmp(name, "-input") == 0)
    options->input = value;
  else if (strcmp(name, "-logits") == 0)
    options->logits = value;
  else if (strcmp(name, "-resize") == 0) {
    long size = strtol(value, NULL, 10);
    if (size < 1 || size > 1 << 12)
      return usage("-resize takes 1 to 4096 pixels, not ", value);
    options->resize = (int)size;
  } else
    return usage("there is no option ", name);
  return 1;
}

static int parse(int argc, char **argv, Options *out) {
  for (int i = 0; i < KindCount; ++i)
    if (strcmp(argv[1], kinds[i].name) == 0)
      out->kind = &kinds[i];
  if (!out->kind)
    return usage("there is no network ", argv[1]);
  out->weights = out->kind->weights;
  out->names = out->kind->names;
  out->resize = out->kind->resize;
  int at = 2;
  for (int used; at < argc && argv[at][0] == '-'; at += used)
    if (!parseOption(out, argv[at], at + 1 < argc ? argv[at + 1] : NULL, &used))
      return 0;
  out->photographs = argv + at;
  out->count = argc - at;
  return out->count > 0 || usage("no photograph", "");
}

/** What the program shows by itself. */
static int show(void) {
  char *digit[] = {NNC_EXAMPLES_DIR "/photo/seven.png"};
  char *both[] = {NNC_EXAMPLES_DIR "/photo/china.jpg", NNC_EXAMPLES_DIR "/photo/flower.jpg"};
  Options lenet5 = {.kind = &kinds[0], .weights = kinds[0].weights, .resize = 32, .photographs = digit, .count = 1};
  Options googlenet = {.kind = &kinds[3], .names = IMAGENET, .resize = 256, .photographs = both, .count = 2};
  return lookAtAll(&lenet5) && lookAtAll(&googlenet);
}

int main(int argc, char **argv) {
  Options options = {0};
  int ok = argc == 1 ? show() : parse(argc, argv, &options) && lookAtAll(&options);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
