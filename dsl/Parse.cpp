//===- Parse.cpp - Source -> Ast ------------------------------------------===//
//
// ANTLR lives here and in AstBuilder. What would exhaust its recursion is found
// by a scan over the characters first. SLL prediction is tried before LL, which
// is needed only where SLL fails.
//
//===----------------------------------------------------------------------===//

#include "dsl/Parse.h"

#include "dsl/AstBuilder.h"
#include "dsl/SyntaxErrors.h"

#include "NNLexer.h"
#include "NNParser.h"

#include <algorithm>
#include <cctype>

namespace nnc::dsl {

static constexpr size_t maxName = 128;
static constexpr int maxNesting = 256;

static void addError(Diagnostics &diagnostics, Location location, std::string message, std::vector<Note> notes = {}) {
  diagnostics.push_back({Diagnostic::Severity::Error, std::move(location), std::move(message), std::move(notes)});
}

//===----------------------------------------------------------------------===//
// Before ANTLR
//===----------------------------------------------------------------------===//

/// The length of the UTF-8 sequence that starts at `at`; 0 when it is none. A character has one spelling, the
/// shortest, and halves of surrogate pairs are no characters (RFC 3629).
static size_t sequenceLength(const std::string &text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  unsigned char first = byte(0);
  size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || at + length > text.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  bool isLonger = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  bool isNone = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return isLonger || isNone ? 0 : length;
}

/// Whether all of a text is UTF-8, comments too; says where it first is not.
static bool checkEncoding(const SourcePtr &source, Diagnostics &diagnostics) {
  const std::string &text = source->text;
  uint32_t line = 1;
  for (size_t at = 0, lineStart = 0; at < text.size();) {
    size_t length = sequenceLength(text, at);
    if (length == 0) {
      addError(diagnostics, {source, line, static_cast<uint32_t>(at - lineStart + 1), 1}, "is not UTF-8");
      return false;
    }
    at += length;
    if (text[at - 1] == '\n') {
      ++line;
      lineStart = at;
    }
  }
  return true;
}

/// What makes the generated parser call itself: brackets, and the words and
/// signs that stand before an expression. It may count too much, never
/// too little.
namespace {
class NestingScan {
public:
  NestingScan(const SourcePtr &source, Diagnostics &diagnostics) : source(source), diagnostics(diagnostics) {}

  bool run() {
    const std::string &text = source->text;
    while (at < text.size()) {
      if (text.compare(at, 2, "//") == 0) {
        skipTo('\n');
      } else if (text[at] == '"') {
        skipString();
      } else if (std::isalpha(static_cast<unsigned char>(text[at])) || text[at] == '_') {
        if (!readWord())
          return false;
      } else {
        readSign(text[at]);
        advance(1);
      }
      if (depth + prefixes > maxNesting) {
        addError(diagnostics, here(), "is nested more than " + std::to_string(maxNesting) + " deep");
        return false;
      }
    }
    return true;
  }

private:
  Location here() const { return {source, line, static_cast<uint32_t>(at - lineStart + 1), 1}; }

  void advance(size_t bytes) {
    for (; bytes > 0 && at < source->text.size(); --bytes, ++at)
      if (source->text[at] == '\n') {
        ++line;
        lineStart = at + 1;
      }
  }

  void skipTo(char end) {
    while (at < source->text.size() && source->text[at] != end)
      advance(1);
  }

  void skipString() {
    advance(1);
    while (at < source->text.size() && source->text[at] != '"' && source->text[at] != '\n')
      advance(1);
    advance(1);
    follows = Previous::Other;
  }

  bool readWord() {
    Location location = here();
    size_t start = at;
    while (at < source->text.size() &&
           (std::isalnum(static_cast<unsigned char>(source->text[at])) || source->text[at] == '_'))
      advance(1);
    std::string word = source->text.substr(start, at - start);
    if (word.size() > maxName) {
      addError(diagnostics, location,
               "is a name of " + std::to_string(word.size()) + " characters, more than the limit of " +
                   std::to_string(maxName));
      return false;
    }
    bool isPrefix = word == "if" || word == "not";
    prefixes += isPrefix;
    bool isJoint = isPrefix || word == "then" || word == "else" || word == "and" || word == "or" || word == "in";
    follows = isJoint ? Previous::Other : Previous::Operand;
    return true;
  }

  /// Prefixes count until something ends the expression that they stand before:
  /// a bracket, a comma, or the name of the next definition with its `=`.
  void readSign(char sign) {
    if (sign == '(' || sign == '[' || sign == '{') {
      open.push_back(prefixes);
      depth += 1 + prefixes;
      prefixes = 0;
    } else if ((sign == ')' || sign == ']' || sign == '}') && !open.empty()) {
      depth -= 1 + open.back();
      prefixes = sign == '}' ? 0 : open.back();
      open.pop_back();
    } else if (sign == '-' && follows != Previous::Operand) {
      ++prefixes;
    } else if (sign == ',' || (sign == '=' && follows == Previous::Operand && source->text.compare(at, 2, "==") != 0)) {
      prefixes = 0;
    }
    if (sign == ')' || sign == ']' || std::isdigit(static_cast<unsigned char>(sign)))
      follows = Previous::Operand;
    else if (!std::isspace(static_cast<unsigned char>(sign)))
      follows = Previous::Other;
  }

  /// What stands before: after an operand `-` subtracts.
  enum class Previous { Operand, Other };

  const SourcePtr &source;
  Diagnostics &diagnostics;
  size_t at = 0, lineStart = 0;
  uint32_t line = 1;
  int depth = 0, prefixes = 0;
  Previous follows = Previous::Other;
  std::vector<int> open;
};
} // namespace

//===----------------------------------------------------------------------===//
// ANTLR
//===----------------------------------------------------------------------===//

/// Parses in one mode of prediction; null when there were errors.
static NNParser::ProgramContext *parseIn(NNParser &parser, antlr4::CommonTokenStream &tokens,
                                         antlr4::atn::PredictionMode mode, antlr4::ANTLRErrorListener *listener) {
  tokens.seek(0);
  parser.reset();
  parser.removeErrorListeners();
  parser.setErrorHandler(std::make_shared<LineRecovery>());
  if (listener)
    parser.addErrorListener(listener);
  parser.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(mode);
  NNParser::ProgramContext *tree = parser.program();
  return parser.getNumberOfSyntaxErrors() == 0 ? tree : nullptr;
}

static std::unique_ptr<Ast> parseText(const SourcePtr &source, Diagnostics &diagnostics) {
  antlr4::ANTLRInputStream input(source->text);
  NNLexer lexer(&input);
  SyntaxErrors listener(source, diagnostics);
  lexer.removeErrorListeners();
  lexer.addErrorListener(&listener);
  antlr4::CommonTokenStream tokens(&lexer);
  NNParser parser(&tokens);
  NNParser::ProgramContext *tree = parseIn(parser, tokens, antlr4::atn::PredictionMode::SLL, nullptr);
  if (!tree)
    tree = parseIn(parser, tokens, antlr4::atn::PredictionMode::LL, &listener);
  if (!tree || !diagnostics.empty())
    return nullptr;
  std::unique_ptr<Ast> ast = AstBuilder(source, diagnostics).build(tree);
  return diagnostics.empty() ? std::move(ast) : nullptr;
}

std::unique_ptr<Ast> parse(SourcePtr source, Diagnostics &diagnostics) {
  if (source->text.size() > maxBytes) {
    addError(diagnostics, {source, 1, 1, 1}, "has more than the limit of " + std::to_string(maxBytes) + " bytes");
    return nullptr;
  }
  Diagnostics own;
  std::unique_ptr<Ast> ast;
  if (checkEncoding(source, own) && NestingScan(source, own).run()) {
    try {
      ast = parseText(source, own);
    } catch (const std::exception &exception) { // ANTLR's; none is expected
      addError(own, {source, 1, 1, 1}, std::string("could not be parsed: ") + exception.what());
      ast = nullptr;
    }
  }
  diagnostics.insert(diagnostics.end(), own.begin(), own.end());
  return ast;
}

} // namespace nnc::dsl
