//===- Mutator.cpp - Broken texts, the same at every run ------------------===//

#include "Mutator.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

using namespace nnc::test;
namespace fs = std::filesystem;

static constexpr time_t secondsForOne = 10;
static constexpr rlim_t bytesForAll = rlim_t(2) << 30;

//===----------------------------------------------------------------------===//
// Texts
//===----------------------------------------------------------------------===//

static bool isWordCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
static bool isSpace(char c) { return std::isspace(static_cast<unsigned char>(c)); }
static bool isDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

Mutator::Mutator(std::vector<std::string> texts, std::string sigils) : sigils(std::move(sigils)) {
  std::set<std::string> all;
  for (const std::string &text : texts) {
    seeds.push_back(tokenize(text));
    all.insert(seeds.back().begin(), seeds.back().end());
  }
  words.assign(all.begin(), all.end());
}

/// Space, comments, words and numbers, strings, and single signs.
std::vector<std::string> Mutator::tokenize(const std::string &text) const {
  std::vector<std::string> tokens;
  size_t at = 0;
  auto endOf = [&](size_t start, auto belongs) {
    while (start < text.size() && belongs(text[start]))
      ++start;
    return start;
  };
  while (at < text.size()) {
    size_t end = at + 1;
    if (isSpace(text[at]))
      end = endOf(at, isSpace);
    else if (text.compare(at, 2, "//") == 0)
      end = endOf(at, [](char c) { return c != '\n'; });
    else if (text[at] == '"')
      end = std::min(text.size(), endOf(at + 1, [](char c) { return c != '"' && c != '\n'; }) + 1);
    else if (isWordCharacter(text[at]) || sigils.find(text[at]) != std::string::npos)
      end = endOf(at + 1, isWordCharacter);
    tokens.push_back(text.substr(at, end - at));
    at = end;
  }
  return tokens;
}

void Mutator::change(std::vector<std::string> &tokens) {
  static const std::vector<std::string> numbers{"0",  "1",    "2",       "3",          "7",
                                                "64", "1000", "1000000", "2147483648", "4611686018427387904"};
  size_t at = pick(tokens.size()), other = pick(tokens.size());
  switch (pick(5)) {
  case 0:
    tokens.erase(tokens.begin() + at);
    break;
  case 1:
    tokens.insert(tokens.begin() + at, std::string(tokens[other]));
    break;
  case 2:
    std::swap(tokens[at], tokens[other]);
    break;
  case 3:
    tokens[at] = words[pick(words.size())];
    break;
  case 4: {
    std::vector<size_t> places;
    for (size_t i = 0; i < tokens.size(); ++i)
      if (std::all_of(tokens[i].begin(), tokens[i].end(), isDigit))
        places.push_back(i);
    if (!places.empty())
      tokens[places[pick(places.size())]] = numbers[pick(numbers.size())];
    break;
  }
  }
}

std::string Mutator::next() {
  std::vector<std::string> tokens = seeds[pick(seeds.size())];
  for (size_t changes = 1 + pick(4); changes > 0 && tokens.size() > 1; --changes)
    change(tokens);
  std::string text;
  for (const std::string &token : tokens)
    text += token;
  return text;
}

std::vector<std::string> nnc::test::readSeeds(const std::string &folder, const std::string &extension) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(fs::path(NNC_SOURCE_DIR) / folder))
    if (entry.path().extension() == extension)
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const fs::path &path : paths) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    texts.push_back(text.str());
  }
  return texts;
}

//===----------------------------------------------------------------------===//
// The guard
//===----------------------------------------------------------------------===//

/// What is being worked on, for the handler.
static const std::string *current;

/// Lets SIGPROF come after so many seconds of the processor: a busy machine takes
/// nothing away. 0 for never.
static void setTimer(time_t seconds) {
  itimerval timer{{0, 0}, {seconds, 0}};
  setitimer(ITIMER_PROF, &timer, nullptr);
}

/// Prints the text and lets the signal do what it does.
static void sayAndDie(int signal) {
  auto print = [](const char *text, size_t size) { (void)!write(STDERR_FILENO, text, size); };
  static const char late[] = "took more than 10 s:\n", died[] = "died of:\n";
  signal == SIGPROF ? print(late, sizeof late - 1) : print(died, sizeof died - 1);
  if (current)
    print(current->data(), current->size());
  std::signal(signal, SIG_DFL);
  raise(signal);
}

namespace {

/// Limits the program for as long as it lives.
class Guard {
public:
  Guard() {
    getrlimit(RLIMIT_AS, &before);
#ifndef __SANITIZE_ADDRESS__ // which reserves more than any limit
    rlimit limit{std::min(bytesForAll, before.rlim_max), before.rlim_max};
    setrlimit(RLIMIT_AS, &limit);
#endif
    // An overflow of the stack leaves none for the handler.
    stack_t own{};
    own.ss_sp = handlerStack.data();
    own.ss_size = handlerStack.size();
    sigaltstack(&own, nullptr);
    struct sigaction action{};
    action.sa_handler = sayAndDie;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPROF})
      sigaction(signal, &action, nullptr);
  }
  ~Guard() {
    setTimer(0);
    current = nullptr;
    setrlimit(RLIMIT_AS, &before);
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGPROF})
      std::signal(signal, SIG_DFL);
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
  }

private:
  rlimit before;
  std::vector<char> handlerStack = std::vector<char>(1 << 16);
};

} // namespace

void nnc::test::forEachMutation(Mutator mutator, size_t count,
                                const std::function<void(const std::string &)> &consume) {
  Guard guard;
  for (size_t i = 0; i < count; ++i) {
    std::string text = mutator.next();
    current = &text;
    setTimer(secondsForOne);
    consume(text);
    current = nullptr;
  }
}
