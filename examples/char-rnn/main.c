/*===- char-rnn/main.c - Learn to tell the language of a name ---------------===*\
 *
 * Links libchar_rnn, which nnc wrote from char_rnn.nn, and trains it with nothing
 * else: one name at a time, the weights random at first. Prints how the loss
 * falls, how many of the held-out names it knows then, which languages it takes for
 * which, and answers for names that are typed in.
 *
 *   char-rnn-demo [EPOCHS [WEIGHTS]]     WEIGHTS: where to save what was learned
 *
\*===------------------------------------------------------------------------===*/

#include "char_rnn.h"
#include "checks.h"
#include "digits.h"
#include "names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DefaultEpochs = 6, NamesPerLine = 2000, BarWidth = 40 };

/** With fewer of the held-out names right, something is wrong: a guess has 1 in 9. */
static const double LeastShare = 0.4;

/** Everything that the program holds, so that it is released in one place. */
typedef struct Learner {
  Names train, heldOut;
  nnc_model *model;
  nnc_context *context;
} Learner;

static int begin(Learner *learner) {
  if (loadNames(NNC_EXAMPLES_DIR "/names/train.txt", &learner->train) != 0 ||
      loadNames(NNC_EXAMPLES_DIR "/names/held-out.txt", &learner->heldOut) != 0)
    return 0;
  nnc_model_options options = {.seed = 1};
  if (!succeeded(char_rnn_create(&options, &learner->model), "making the network", ""))
    return 0;
  nnc_status status = char_rnn_training_create(learner->model, 1, LongestName, &learner->context);
  return succeeded(status, "making room to train", nnc_model_error(learner->model));
}

/** One step of stochastic gradient descent. */
static int learn(Learner *learner, const Name *name, float *loss) {
  nnc_status status =
      char_rnn_train_step(learner->context, 1, name->length, NULL, name->letters, &name->language, loss);
  return succeeded(status, "learning a name", nnc_context_error(learner->context));
}

/** The log-probability of each language. */
static int ask(Learner *learner, const Name *name, float scores[LanguageCount]) {
  nnc_status status = char_rnn_infer(learner->context, 1, name->length, NULL, name->letters, scores);
  return succeeded(status, "reading a name", nnc_context_error(learner->context));
}

/** A line of the loss curve. */
static void printLoss(long seen, double loss) {
  int length = (int)(loss / log(LanguageCount) * BarWidth + 0.5);
  length = length < 0 ? 0 : length > BarWidth ? BarWidth : length;
  printf("%7ld names  loss %.3f  ", seen, loss);
  for (int i = 0; i < length; ++i)
    putchar('#');
  putchar('\n');
  fflush(stdout);
}

static int train(Learner *learner, long epochs) {
  double sum = 0, start = now();
  long seen = 0;
  for (long epoch = 0; epoch < epochs; ++epoch) {
    shuffleNames(&learner->train, (uint64_t)epoch);
    for (size_t i = 0; i < learner->train.count; ++i) {
      float loss;
      if (!learn(learner, &learner->train.all[i], &loss))
        return 0;
      sum += (double)loss;
      if (++seen % NamesPerLine == 0) {
        printLoss(seen, sum / NamesPerLine);
        sum = 0;
      }
    }
  }
  double seconds = now() - start;
  printf("%ld steps in %.1f s: %.0f us each\n", seen, seconds, 1e6 * seconds / (double)(seen ? seen : 1));
  return 1;
}

/** Prints, for the names of each language, which languages they were taken for, in percent. */
static void printConfusion(int counts[LanguageCount][LanguageCount]) {
  printf("\n%11s", "");
  for (int given = 0; given < LanguageCount; ++given)
    printf(" %.3s", languages[given]);
  printf("\n");
  for (int language = 0; language < LanguageCount; ++language) {
    int all = 0;
    for (int given = 0; given < LanguageCount; ++given)
      all += counts[language][given];
    printf("%11s", languages[language]);
    for (int given = 0; given < LanguageCount; ++given)
      if (counts[language][given])
        printf(" %3d", (int)(100.0 * counts[language][given] / all + 0.5));
      else
        printf("   .");
    printf("\n");
  }
}

/** Reads the names that the training did not see. */
static int test(Learner *learner) {
  int counts[LanguageCount][LanguageCount] = {{0}};
  size_t right = 0, count = learner->heldOut.count;
  for (size_t i = 0; i < count; ++i) {
    const Name *name = &learner->heldOut.all[i];
    float scores[LanguageCount];
    if (!ask(learner, name, scores))
      return 0;
    int given = largest(scores, LanguageCount);
    ++counts[name->language][given];
    right += given == name->language;
  }
  double share = (double)right / (double)count;
  printf("%zu of %zu held-out names right: %.1f %%\n", right, count, 100 * share);
  printConfusion(counts);
  if (share >= LeastShare)
    return 1;
  fprintf(stderr, "fewer than %.0f %% right\n", 100 * LeastShare);
  return 0;
}

/** Answers for the names on standard input, one a line: the three likeliest languages. */
static int answer(Learner *learner) {
  char line[256];
  printf("\na name (letters a to z), or end of input:\n");
  while (fflush(stdout), fgets(line, sizeof line, stdin)) {
    Name name;
    float scores[LanguageCount];
    line[strcspn(line, "\r\n")] = '\0';
    if (spellName(line, &name) != 0) {
      printf("  cannot be read\n");
      continue;
    }
    if (!ask(learner, &name, scores))
      return 0;
    printf("%s:\n", line);
    for (int place = 0; place < 3; ++place) {
      int best = largest(scores, LanguageCount);
      printf("  %-11s %3.0f %%\n", languages[best], 100 * exp((double)scores[best]));
      scores[best] = -INFINITY;
    }
  }
  return 1;
}

static int save(Learner *learner, const char *path) {
  return !path || succeeded(nnc_model_save(learner->model, path), "saving", nnc_model_error(learner->model));
}

int main(int argc, char **argv) {
  long epochs = argc > 1 ? strtol(argv[1], NULL, 10) : DefaultEpochs;
  Learner learner = {0};
  int ok = begin(&learner) && train(&learner, epochs) && test(&learner) && save(&learner, argc > 2 ? argv[2] : NULL) &&
           answer(&learner);
  char_rnn_context_destroy(learner.context);
  char_rnn_destroy(learner.model);
  freeNames(&learner.train);
  freeNames(&learner.heldOut);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
