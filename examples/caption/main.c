/*===- caption/main.c - Say what pictures show -------------------------------===*\
 *
 * Links libcaption and libcaption_beam, which nnc wrote from caption.nn: one says the
 * likeliest word after each, the other looks for the likeliest caption with four beams.
 * Captions 1000 pictures of one to five digits that the training never saw, shows some,
 * says how many words and captions are right, and compares each with PyTorch's.
 *
 *   caption-demo [WEIGHTS]     the file, where it is not that of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "caption.h"
#include "caption_beam.h"
#include "checks.h"
#include "scenes.h"

#include <stdlib.h>
#include <string.h>

enum { Count = 1000, Seed = 2, Shown = 3, LineSize = 128 };
enum { End = 1, FirstDigit = 2 };

/** With fewer of the captions right, something is wrong. */
static const double LeastShare = 0.8;

static const char *const digitNames[DigitClasses] = {"zero", "one", "two",   "three", "four",
                                                     "five", "six", "seven", "eight", "nine"};

/** What one way of decoding says of all pictures. */
typedef struct Captions {
  int32_t words[Count][CAPTION_MAX_L], lengths[Count];
} Captions;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Captioner {
  Digits digits;
  Row *rows;
  float *pictures;
  Captions *greedy, *beams;
  FILE *expected;
} Captioner;

static int begin(Captioner *captioner) {
  if (loadDigits(NNC_EXAMPLES_DIR "/digits/digits.bin", &captioner->digits) != 0)
    return 0;
  captioner->rows = malloc(Count * sizeof(Row));
  captioner->pictures = malloc(Count * sizeof(float[CAPTION_PICTURE_SIZE]));
  captioner->greedy = malloc(sizeof(Captions));
  captioner->beams = malloc(sizeof(Captions));
  captioner->expected = fopen(NNC_EXAMPLES_DIR "/caption/caption.answers", "r");
  if (!captioner->rows || !captioner->pictures || !captioner->greedy || !captioner->beams || !captioner->expected) {
    perror("beginning");
    return 0;
  }
  uint64_t state = Seed;
  for (int i = 0; i < Count; ++i) {
    makeRow(captioner->digits.heldOut, captioner->digits.heldOutCount, &state, &captioner->rows[i]);
    memcpy(captioner->pictures + (size_t)i * CAPTION_PICTURE_SIZE, captioner->rows[i].pixels,
           sizeof captioner->rows[i].pixels);
  }
  return 1;
}

/** Captions of no word, and of more than the longest, are refused. */
static int refusesLengths(nnc_context *context, void *const *arguments) {
  const int64_t wrong[] = {0, CAPTION_MAX_L + 1};
  for (int i = 0; i < 2; ++i) {
    nnc_status status = nnc_run(context, 0, 1, &wrong[i], NULL, arguments);
    if (status != NNC_INVALID_ARGUMENT) {
      fprintf(stderr, "captions of up to %lld words: %s\n", (long long)wrong[i], nnc_status_message(status));
      return 0;
    }
  }
  return 1;
}

/** Captions all pictures; `network` is either of the two, which take and give the same. */
static int captionAll(const nnc_network *network, const char *weights, Captioner *captioner, Captions *out) {
  const int64_t longest = CAPTION_MAX_L;
  nnc_model *model = NULL;
  nnc_context *context = NULL;
  int ok = succeeded(nnc_model_create(network, NULL, &model), "making the network", nnc_model_error(NULL)) &&
           succeeded(nnc_model_load(model, weights), "loading the weights", nnc_model_error(model)) &&
           succeeded(nnc_context_create(model, NULL, Count, &longest, &context), "making room to run",
                     nnc_model_error(model));
  if (ok) {
    double start = now();
    void *arguments[] = {captioner->pictures, out->words, out->lengths};
    ok = succeeded(nnc_run(context, 0, Count, &longest, NULL, arguments), "captioning", nnc_context_error(context));
    printf("%s: %.0f us a picture\n", nnc_network_name(network), 1e6 * (now() - start) / Count);
    ok = ok && refusesLengths(context, arguments);
  }
  nnc_context_destroy(context);
  nnc_model_destroy(model);
  return ok;
}

/** The caption of a picture without its end, as a text. */
static void tell(const Captions *captions, int picture, char text[LineSize]) {
  text[0] = '\0';
  for (int t = 0; t < captions->lengths[picture]; ++t) {
    int word = captions->words[picture][t];
    if (word == End)
      continue;
    if (t > 0)
      strcat(text, " ");
    strcat(text, word >= FirstDigit ? digitNames[word - FirstDigit] : "?");
  }
}

/** Counts words at their places, the end among them, and whole captions. */
static double score(const Captioner *captioner, const Captions *captions, const char *name) {
  int words = 0, rightWords = 0, right = 0;
  for (int i = 0; i < Count; ++i) {
    const Row *row = &captioner->rows[i];
    int isRight = captions->lengths[i] == row->count + 1;
    for (int t = 0; t <= row->count; ++t, ++words) {
      int wanted = t == row->count ? End : FirstDigit + row->labels[t];
      int isSame = t < captions->lengths[i] && captions->words[i][t] == wanted;
      rightWords += isSame;
      isRight &= isSame;
    }
    right += isRight;
  }
  printf("%s: %.1f %% of the words and %.1f %% of the captions right\n", name, 100.0 * rightWords / words,
         100.0 * right / Count);
  return (double)right / Count;
}

/** Compares with PyTorch's captions, a line each: greedy, a tab, with beams. */
static int compareWithPyTorch(const Captioner *captioner) {
  int others = 0;
  for (int i = 0; i < Count; ++i) {
    char greedy[LineSize], beams[LineSize], line[2 * LineSize + 2], wanted[2 * LineSize + 2];
    tell(captioner->greedy, i, greedy);
    tell(captioner->beams, i, beams);
    snprintf(line, sizeof line, "%s\t%s\n", greedy, beams);
    if (fgets(wanted, sizeof wanted, captioner->expected) && strcmp(line, wanted) == 0)
      continue;
    ++others;
    fprintf(stderr, "picture %d: %s", i, line);
  }
  printf("%d of %d captions are others than PyTorch's\n", others, Count);
  return others == 0;
}

/** Shows the first pictures of several digits. */
static void show(const Captioner *captioner) {
  for (int i = 0, shown = 0; i < Count && shown < Shown; ++i) {
    if (captioner->rows[i].count < 3)
      continue;
    ++shown;
    char caption[LineSize];
    tell(captioner->greedy, i, caption);
    printPicture(stdout, captioner->rows[i].pixels, RowHeight, RowWidth, 2);
    printf("  \"%s\"\n", caption);
  }
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/caption/caption.safetensors";
  Captioner captioner = {0};
  int ok = begin(&captioner) && captionAll(&caption_network, weights, &captioner, captioner.greedy) &&
           captionAll(&caption_beam_network, weights, &captioner, captioner.beams);
  if (ok) {
    show(&captioner);
    double share = score(&captioner, captioner.greedy, "greedy");
    score(&captioner, captioner.beams, "four beams");
    ok = share >= LeastShare;
    ok &= compareWithPyTorch(&captioner);
  }
  if (captioner.expected)
    fclose(captioner.expected);
  free(captioner.beams);
  free(captioner.greedy);
  free(captioner.pictures);
  free(captioner.rows);
  freeDigits(&captioner.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
