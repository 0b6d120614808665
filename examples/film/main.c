/*===- film/main.c - Say what happens in each frame of a film ----------------===*\
 *
 * Links libfilm, which nnc wrote from film.nn. Sees 500 films of a digit that stands or
 * moves, and that the training never saw, says how many frames' actions are right and
 * compares the logits with PyTorch's; then sees one film frame by frame, as a camera would
 * give it.
 *
 *   film-demo [WEIGHTS]     the file, where it is not that of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "film.h"
#include "scenes.h"

#include <stdlib.h>
#include <string.h>

enum { Count = 500, Seed = 2, Compared = 20, Shown = 6 };

/** With fewer of the actions right, something is wrong. */
static const double LeastShare = 0.9;

/** How far a logit may be from PyTorch's. */
static const float Tolerance = 1e-4f;

static const char *const actionNames[ActionCount] = {"stands", "moves left", "moves right", "moves up", "moves down"};

/** Everything that the program holds, so that it is released in one place. */
typedef struct Watcher {
  Digits digits;
  Film *films;
  int32_t *lengths; /* of each film */
  float *frames;    /* of all films, as long as the longest may be */
  float *actions, *logits, *expected;
  nnc_model *model;
  nnc_context *context;
} Watcher;

static int makeFilms(Watcher *watcher) {
  if (loadDigits(NNC_EXAMPLES_DIR "/digits/digits.bin", &watcher->digits) != 0)
    return 0;
  size_t answers = (size_t)Count * LongestFilm * ActionCount;
  watcher->films = malloc(Count * sizeof(Film));
  watcher->lengths = malloc(Count * sizeof(int32_t));
  watcher->frames = malloc(Count * sizeof(float[LongestFilm][FramePixels]));
  watcher->actions = malloc(answers * sizeof(float));
  watcher->logits = malloc(answers * sizeof(float));
  watcher->expected = readFloats(NNC_EXAMPLES_DIR "/film/film.logits", (size_t)Compared * LongestFilm * ActionCount);
  if (!watcher->films || !watcher->lengths || !watcher->frames || !watcher->actions || !watcher->logits ||
      !watcher->expected)
    return 0;
  uint64_t state = Seed;
  for (int i = 0; i < Count; ++i) {
    Film *film = &watcher->films[i];
    makeFilm(watcher->digits.heldOut, watcher->digits.heldOutCount, &state, film);
    watcher->lengths[i] = film->length;
    memcpy(watcher->frames + (size_t)i * LongestFilm * FramePixels, film->frames, sizeof film->frames);
  }
  return 1;
}

static int loadNetwork(Watcher *watcher, const char *weights) {
  return succeeded(film_create(NULL, &watcher->model), "making the network", nnc_model_error(NULL)) &&
         succeeded(nnc_model_load(watcher->model, weights), "loading the weights", nnc_model_error(watcher->model)) &&
         succeeded(film_context_create(watcher->model, Count, LongestFilm, &watcher->context), "making room to run",
                   nnc_model_error(watcher->model));
}

/** Sees all films in one call and gives the share of frames whose action is right. */
static int watchAll(Watcher *watcher, double *share) {
  int frames = 0, right = 0;
  double start = now();
  nnc_status status = film_infer(watcher->context, Count, LongestFilm, watcher->lengths, watcher->frames,
                                 watcher->actions, watcher->logits);
  if (!succeeded(status, "watching", nnc_context_error(watcher->context)))
    return 0;
  double seconds = now() - start;
  for (int i = 0; i < Count; ++i)
    for (int t = 0; t < watcher->lengths[i]; ++t, ++frames)
      right += largest(watcher->actions + ((size_t)i * LongestFilm + (size_t)t) * ActionCount, ActionCount) ==
               watcher->films[i].actions[t];
  *share = (double)right / frames;
  printf("%d of %d frames' actions right: %.2f %%; %.0f us a frame\n", right, frames, 100 * *share,
         1e6 * seconds / frames);
  return 1;
}

/** Shows the last frames of a film side by side, and what was said of them. */
static void show(const Film *film, const int actions[Shown]) {
  enum { Width = Shown * FrameSize };
  float strip[FrameSize * Width];
  for (int i = 0; i < Shown; ++i)
    for (int p = 0; p < FramePixels; ++p)
      strip[p / FrameSize * Width + i * FrameSize + p % FrameSize] = film->frames[film->length - Shown + i][p];
  printPicture(stdout, strip, FrameSize, Width, 2);
  printf("  ");
  for (int i = 0; i < Shown; ++i)
    printf("%-*s", FrameSize, actionNames[actions[i]]);
  printf("\n");
}

/** Sees the first film one frame at a time; gives how far logits are from those of all films in one call. */
static int watchFrameByFrame(Watcher *watcher, float *difference) {
  const Film *film = &watcher->films[0];
  int given[Shown] = {0};
  *difference = 0;
  if (!succeeded(nnc_context_reset(watcher->context), "beginning a film", nnc_context_error(watcher->context)))
    return 0;
  for (int t = 0; t < film->length; ++t) {
    float action[ActionCount], logits[ActionCount];
    nnc_status status = film_step(watcher->context, 1, film->frames[t], action, logits);
    if (!succeeded(status, "seeing a frame", nnc_context_error(watcher->context)))
      return 0;
    float own = farthest(logits, watcher->logits + (size_t)t * ActionCount, ActionCount);
    *difference = own > *difference ? own : *difference;
    if (t >= film->length - Shown)
      given[t - film->length + Shown] = largest(action, ActionCount);
  }
  show(film, given);
  return 1;
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/film/film.safetensors";
  Watcher watcher = {0};
  double share = 0;
  float stepwise = 0;
  int ok = makeFilms(&watcher) && loadNetwork(&watcher, weights) && watchAll(&watcher, &share) &&
           watchFrameByFrame(&watcher, &stepwise);
  if (ok) {
    size_t compared = (size_t)Compared * LongestFilm * ActionCount;
    ok = agree("farthest logit from PyTorch's:", farthest(watcher.logits, watcher.expected, compared), Tolerance);
    ok &= agree("farthest logit frame by frame:", stepwise, Tolerance);
    ok &= share >= LeastShare;
  }
  film_context_destroy(watcher.context);
  film_destroy(watcher.model);
  free(watcher.expected);
  free(watcher.logits);
  free(watcher.actions);
  free(watcher.frames);
  free(watcher.lengths);
  free(watcher.films);
  freeDigits(&watcher.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
