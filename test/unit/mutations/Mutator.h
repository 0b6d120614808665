//===- Mutator.h - Broken texts, the same at every run --------------------===//
//
// A text is cut into tokens, of which one to four are deleted, doubled, swapped,
// replaced by a token of any seed, or, if they are numbers, changed. The test
// says what must hold of every text; a guard says which text it was where the
// program dies of it.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_TEST_UNIT_MUTATIONS_MUTATOR_H
#define NNC_TEST_UNIT_MUTATIONS_MUTATOR_H

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace nnc::test {

/// Makes mutations of seeds.
class Mutator {
public:
  /// `sigils` are the signs that belong to the name after them.
  Mutator(std::vector<std::string> seeds, std::string sigils);

  std::string next();

private:
  std::vector<std::string> tokenize(const std::string &text) const;
  size_t pick(size_t count) { return generator() % count; }
  void change(std::vector<std::string> &tokens);

  std::vector<std::vector<std::string>> seeds; ///< their tokens
  std::vector<std::string> words;              ///< every token of the seeds, once
  std::string sigils;
  std::mt19937 generator{1};
};

/// The files of a folder of the source tree, below it too, with this extension.
std::vector<std::string> readSeeds(const std::string &folder, const std::string &extension);

/// Hands `count` mutations to `consume`, each of which may take 10 seconds of the
/// processor, all in 2 GiB. A text that kills the program is printed first.
void forEachMutation(Mutator mutator, size_t count, const std::function<void(const std::string &)> &consume);

} // namespace nnc::test

#endif // NNC_TEST_UNIT_MUTATIONS_MUTATOR_H
