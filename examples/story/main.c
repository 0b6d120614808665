/*===- story/main.c - Tell the stories of pictures ---------------------------===*\
 *
 * Links libstory, which nnc wrote from story.nn. Tells of 500 albums of two to six
 * digits that the training never saw, a sentence a picture, shows some stories, says how
 * many sentences and stories are right, and compares each with PyTorch's.
 *
 *   story-demo [WEIGHTS]     the file, where it is not that of examples/
 *
\*===------------------------------------------------------------------------===*/

#include "checks.h"
#include "scenes.h"
#include "story.h"

#include <stdlib.h>
#include <string.h>

enum { Count = 500, Seed = 2, Shown = 3, TextSize = 512 };
enum { End = 1, Zero = 2, First = 12, Then, Last, Again, More, Less };

/** With fewer of the sentences right, something is wrong. */
static const double LeastShare = 0.8;

static const char *const words[] = {"<start>", "<end>", "zero", "one",   "two",  "three", "four",  "five", "six",
                                    "seven",   "eight", "nine", "first", "then", "last",  "again", "more", "less"};

/** The words of a sentence; those past its end are 0. */
typedef int32_t Sentence[STORY_MAX_L];

/** Everything that the program holds, so that it is released in one place. */
typedef struct Teller {
  Digits digits;
  Album *albums;
  int32_t *counts;  /* pictures of each album */
  float *pictures;  /* of all albums, as large as the largest may be */
  Sentence *told;   /* the same */
  int32_t *lengths; /* words of each sentence */
  FILE *expected;
  nnc_model *model;
  nnc_context *context;
} Teller;

static int begin(Teller *teller) {
  if (loadDigits(NNC_EXAMPLES_DIR "/digits/digits.bin", &teller->digits) != 0)
    return 0;
  size_t pictures = (size_t)Count * LongestAlbum;
  teller->albums = malloc(Count * sizeof(Album));
  teller->counts = malloc(Count * sizeof(int32_t));
  teller->pictures = calloc(pictures * DigitPixels, sizeof(float));
  teller->told = malloc(pictures * sizeof(Sentence));
  teller->lengths = malloc(pictures * sizeof(int32_t));
  teller->expected = fopen(NNC_EXAMPLES_DIR "/story/story.answers", "r");
  if (!teller->albums || !teller->counts || !teller->pictures || !teller->told || !teller->lengths ||
      !teller->expected) {
    perror("beginning");
    return 0;
  }
  uint64_t state = Seed;
  for (int i = 0; i < Count; ++i) {
    Album *album = &teller->albums[i];
    makeAlbum(teller->digits.heldOut, teller->digits.heldOutCount, &state, album);
    teller->counts[i] = album->count;
    for (int s = 0; s < album->count; ++s)
      for (int p = 0; p < DigitPixels; ++p)
        teller->pictures[((size_t)i * LongestAlbum + (size_t)s) * DigitPixels + (size_t)p] = album->digits[s].pixels[p];
  }
  return 1;
}

static int loadNetwork(Teller *teller, const char *weights) {
  return succeeded(story_create(NULL, &teller->model), "making the network", nnc_model_error(NULL)) &&
         succeeded(nnc_model_load(teller->model, weights), "loading the weights", nnc_model_error(teller->model)) &&
         succeeded(story_context_create(teller->model, Count, LongestAlbum, STORY_MAX_L, &teller->context),
                   "making room to run", nnc_model_error(teller->model));
}

static int tellAll(Teller *teller) {
  double start = now();
  nnc_status status = story_infer(teller->context, Count, LongestAlbum, teller->counts, STORY_MAX_L, NULL,
                                  teller->pictures, &teller->told[0][0], teller->lengths);
  if (!succeeded(status, "telling", nnc_context_error(teller->context)))
    return 0;
  printf("%.0f us a story\n", 1e6 * (now() - start) / Count);
  return 1;
}

/** What is to be told of a picture, its end included; gives the number of words. */
static int expectSentence(const Album *album, int picture, Sentence out) {
  int count = 0, own = album->digits[picture].label;
  out[count++] = picture == 0 ? First : picture == album->count - 1 ? Last : Then;
  out[count++] = Zero + own;
  int more = picture > 0 ? own - album->digits[picture - 1].label : 0;
  if (picture > 0 && more == 0)
    out[count++] = Again;
  if (more != 0) {
    out[count++] = Zero + abs(more);
    out[count++] = more > 0 ? More : Less;
  }
  out[count++] = End;
  return count;
}

/** How many sentences and whole stories are right; gives the share of the sentences. */
static double score(const Teller *teller) {
  int sentences = 0, rightSentences = 0, stories = 0;
  for (int i = 0; i < Count; ++i) {
    int isRight = 1;
    for (int s = 0; s < teller->counts[i]; ++s, ++sentences) {
      Sentence wanted;
      size_t at = (size_t)i * LongestAlbum + (size_t)s;
      int length = expectSentence(&teller->albums[i], s, wanted);
      int isSame =
          teller->lengths[at] == length && memcmp(teller->told[at], wanted, (size_t)length * sizeof *wanted) == 0;
      rightSentences += isSame;
      isRight &= isSame;
    }
    stories += isRight;
  }
  printf("%.1f %% of %d sentences and %.1f %% of %d stories right\n", 100.0 * rightSentences / sentences, sentences,
         100.0 * stories / Count, Count);
  return (double)rightSentences / sentences;
}

/** A story as a line of text. */
static void spell(const Teller *teller, int story, char text[TextSize]) {
  text[0] = '\0';
  for (int s = 0; s < teller->counts[story]; ++s) {
    size_t at = (size_t)story * LongestAlbum + (size_t)s;
    if (s > 0)
      strcat(text, " / ");
    for (int t = 0; t < teller->lengths[at] && teller->told[at][t] != End; ++t) {
      if (t > 0)
        strcat(text, " ");
      strcat(text, words[teller->told[at][t]]);
    }
  }
}

static int compareWithPyTorch(Teller *teller) {
  int others = 0;
  for (int i = 0; i < Count; ++i) {
    char text[TextSize], wanted[TextSize];
    spell(teller, i, text);
    if (fgets(wanted, sizeof wanted, teller->expected) && strcspn(wanted, "\n") == strlen(text) &&
        memcmp(wanted, text, strlen(text)) == 0)
      continue;
    ++others;
    fprintf(stderr, "story %d: %s\n", i, text);
  }
  printf("%d of %d stories are others than PyTorch's\n", others, Count);
  return others == 0;
}

/** Shows an album's pictures side by side, and its story. */
static void show(const Teller *teller, int story) {
  enum { Width = LongestAlbum * DigitSize };
  float row[DigitSize * Width] = {0};
  for (int s = 0; s < teller->counts[story]; ++s)
    for (int p = 0; p < DigitPixels; ++p)
      row[p / DigitSize * Width + s * DigitSize + p % DigitSize] = teller->albums[story].digits[s].pixels[p];
  char text[TextSize];
  spell(teller, story, text);
  printPicture(stdout, row, DigitSize, Width, 2);
  printf("  %s\n", text);
}

int main(int argc, char **argv) {
  const char *weights = argc > 1 ? argv[1] : NNC_EXAMPLES_DIR "/story/story.safetensors";
  Teller teller = {0};
  int ok = begin(&teller) && loadNetwork(&teller, weights) && tellAll(&teller);
  for (int i = 0; ok && i < Shown; ++i)
    show(&teller, i);
  if (ok) {
    ok = score(&teller) >= LeastShare;
    ok &= compareWithPyTorch(&teller);
  }
  if (teller.expected)
    fclose(teller.expected);
  story_context_destroy(teller.context);
  story_destroy(teller.model);
  free(teller.lengths);
  free(teller.told);
  free(teller.pictures);
  free(teller.counts);
  free(teller.albums);
  freeDigits(&teller.digits);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
