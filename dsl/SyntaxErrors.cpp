//===- SyntaxErrors.cpp - What does not follow the grammar ----------------===//

#include "dsl/SyntaxErrors.h"

#include "dsl/Layers.h"

#include <algorithm>
#include <cctype>

namespace nnc::dsl {

static constexpr size_t maxErrors = 100; // what follows from the first ones helps nobody

//===----------------------------------------------------------------------===//
// What was expected
//===----------------------------------------------------------------------===//

namespace {

/// The tokens that could stand at a place, taken away group by group.
class Expected {
public:
  explicit Expected(antlr4::Parser &parser) : vocabulary(parser.getVocabulary()) {
    for (ssize_t type : parser.getExpectedTokens().toList())
      tokens.push_back(nameOf(static_cast<size_t>(type)));
  }

  bool has(const std::string &token) const { return std::find(tokens.begin(), tokens.end(), token) != tokens.end(); }

  /// The words of the language among them, without their quotes.
  std::vector<std::string> getWords() const {
    std::vector<std::string> words;
    for (const std::string &token : tokens)
      if (token.size() > 2 && std::isalpha(static_cast<unsigned char>(token[1])) && token[0] == '`')
        words.push_back(token.substr(1, token.size() - 2));
    return words;
  }

  /// "an operator, a statement or `}`".
  std::string describe() {
    std::vector<std::string> groups;
    if (has("a number")) {
      take({"`if`", "`not`", "`-`", "`(`", "`true`", "`false`", "a name", "a number", "SIZE"});
      groups.push_back("an expression");
    }
    if (has("`*`")) {
      take({"`|>`", "`or`", "`and`", "`==`", "`!=`", "`<`", "`<=`", "`>`", "`>=`", "`+`", "`-`", "`*`", "`/`", "`.*`",
            "`./`", "`(`", "`[`"});
      groups.push_back("an operator");
    }
    if (has("`each`")) {
      take({"`input`", "`output`", "`weight`", "`each`", "a name"});
      groups.push_back("a statement");
    }
    if (has("`network`")) {
      take({"the end of the file", "`network`", "`layer`", "`train`", "`import`"});
      groups.push_back("a declaration (`network`, `layer`, `train` or `import`)");
    }
    groups.insert(groups.end(), tokens.begin(), tokens.end());
    std::string text;
    for (size_t i = 0; i < groups.size(); ++i)
      text += (i == 0 ? "" : i + 1 == groups.size() ? " or " : ", ") + groups[i];
    return text;
  }

private:
  std::string nameOf(size_t type) const {
    std::string literal(vocabulary.getLiteralName(type)), symbol(vocabulary.getSymbolicName(type));
    if (!literal.empty())
      return "`" + literal.substr(1, literal.size() - 2) + "`";
    if (symbol == "ID")
      return "a name";
    if (symbol == "NUMBER")
      return "a number";
    if (symbol == "STRING")
      return "a file in quotes";
    return symbol == "EOF" || type == antlr4::Token::EOF ? "the end of the file" : symbol;
  }

  void take(const std::vector<std::string> &group) {
    auto isTaken = [&](const std::string &token) {
      return std::find(group.begin(), group.end(), token) != group.end();
    };
    tokens.erase(std::remove_if(tokens.begin(), tokens.end(), isTaken), tokens.end());
  }

  const antlr4::dfa::Vocabulary &vocabulary;
  std::vector<std::string> tokens;
};

} // namespace

//===----------------------------------------------------------------------===//
// Characters
//===----------------------------------------------------------------------===//

/// What someone means who writes a character that the language does not have.
static std::string getHint(const std::string &text) {
  static const std::vector<std::pair<std::vector<std::string>, std::string>> hints{
      {{";"}, "a statement ends where the next one begins: take it away"},
      {{"#", "'"}, "comments begin with `//`"},
      {{"−", "–", "—"}, "write `-`"},
      {{"×", "·", "⋅", "∗"}, "write `*`, or `.*` element by element"},
      {{"÷", "∕"}, "write `/`"},
      {{"→", "⟶"}, "write `->`"},
      {{"≤"}, "write `<=`"},
      {{"≥"}, "write `>=`"},
      {{"≠"}, "write `!=`"},
      {{"^"}, "write `pow(a, b)`, or `square(a)`"},
      {{"@"}, "write `*`, which multiplies matrices"},
      {{"&"}, "write `and`"},
      {{"|"}, "write `or` between truth values, `|>` before a layer"},
      {{"!"}, "write `not`"},
      {{"?"}, "write `if … then … else …`"},
      {{"\"", "“", "”", "„", "«", "»", "‘", "’"},
       "only the file of an `import` is in quotes, `\"` on both sides, in one line"}};
  for (const auto &[characters, hint] : hints)
    if (std::find(characters.begin(), characters.end(), text) != characters.end())
      return hint;
  return "";
}

void SyntaxErrors::sayForeign(const Location &location, const std::string &text, bool isWord) {
  auto say = [&](const std::string &message, const std::string &hint) {
    std::vector<Note> notes;
    if (!hint.empty())
      notes.push_back({location, hint});
    diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  };
  if (isWord)
    return say("`" + text + "` has letters that are not ASCII", "names are of a to z, A to Z, digits and `_`");
  unsigned char first = static_cast<unsigned char>(text[0]);
  if (text.size() == 1 && (first < 0x20 || first == 0x7f))
    return say("the character with the number " + std::to_string(first) + " has no meaning here", "");
  say("`" + text + "` has no meaning here", getHint(text));
}

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static bool closes(const std::string &text) { return text == "}" || text == ")" || text == "]"; }

Location SyntaxErrors::locate(antlr4::Token *token) const {
  return {source, static_cast<uint32_t>(token->getLine()), static_cast<uint32_t>(token->getCharPositionInLine() + 1),
          token->getType() == antlr4::Token::EOF ? 1 : static_cast<uint32_t>(token->getText().size())};
}

/// The bracket that is open before a token, the innermost one; null when there is none.
static antlr4::Token *findOpen(antlr4::TokenStream &tokens, antlr4::Token *end) {
  std::vector<antlr4::Token *> open;
  for (size_t i = 0; i < end->getTokenIndex(); ++i) {
    antlr4::Token *token = tokens.get(i);
    const std::string text = token->getText();
    if (text == "(" || text == "[" || text == "{")
      open.push_back(token);
    else if ((text == ")" || text == "]" || text == "}") && !open.empty())
      open.pop_back();
  }
  return open.empty() ? nullptr : open.back();
}

static bool isDeclaration(const antlr4::Token &token) {
  const std::string text = token.getText();
  return text == "network" || text == "layer" || text == "train" || text == "import";
}

/// `Network` and `netwrok` are `network`.
static std::string suggestWord(std::string text, const std::vector<std::string> &words) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return suggest(text, words);
}

static bool isOperator(const std::string &text) {
  static const std::vector<std::string> operators{"or", "and", "==", "!=", "<",  "<=", ">",
                                                  ">=", "+",   "-",  "*",  ".*", "/",  "./"};
  return std::find(operators.begin(), operators.end(), text) != operators.end();
}

static bool compares(const std::string &text) {
  static const std::vector<std::string> comparisons{"==", "!=", "<", "<=", ">", ">="};
  return std::find(comparisons.begin(), comparisons.end(), text) != comparisons.end();
}

/// The `|>` or the comparison of the expression that ends before a token, in the same brackets: after a `|>` there is
/// no operator, and no comparison after a comparison. Null where there is neither.
static antlr4::Token *findLastOperator(antlr4::TokenStream &tokens, antlr4::Token *end) {
  int open = 0;
  for (size_t i = end->getTokenIndex(); i-- > 0;) {
    antlr4::Token *token = tokens.get(i);
    const std::string text = token->getText();
    if (open == 0 && (text == "|>" || compares(text)))
      return token;
    open += closes(text) - (text == "(" || text == "[" || text == "{");
    if (open < 0 || (open == 0 && (text == "," || text == "=" || text == "if" || text == "then" || text == "else")))
      return nullptr;
  }
  return nullptr;
}

std::vector<Note> SyntaxErrors::findNotes(antlr4::Parser &parser, antlr4::Token *token, const Location &location) {
  antlr4::Token *previous =
      token->getTokenIndex() > 0 ? parser.getTokenStream()->get(token->getTokenIndex() - 1) : nullptr;
  antlr4::Token *open = findOpen(*parser.getTokenStream(), token);
  const std::string text = token->getText(), before = previous ? previous->getText() : "";
  Expected expected(parser);
  bool isEnd = token->getType() == antlr4::Token::EOF, isName = token->getType() == NNParser::ID;
  bool isWord = !isName && !isEnd && std::isalpha(static_cast<unsigned char>(text[0]));
  if (open && (isEnd || (open->getText() == "{" && isDeclaration(*token))))
    return {{locate(open), "`" + open->getText() + "` is opened here, and not closed"}};
  if (closes(text) && !open)
    return {{location, "no bracket is open here"}};
  if (open && text == "}" && open->getText() != "{")
    return {{locate(open), "`" + open->getText() + "` is opened here, and not closed"}};
  if (before == "," && !expected.has("`,`") && (isWord || closes(text)))
    return {{locate(previous), "take away this `,`"}};
  if (text == "==" && expected.has("`=`"))
    return {{location, "a definition has one `=`"}};
  if (text == "=" && expected.has("`then`"))
    return {{location, "`==` compares"}};
  antlr4::Token *last = isOperator(text) ? findLastOperator(*parser.getTokenStream(), token) : nullptr;
  if (last && last->getText() == "|>")
    return {{locate(last), "what `|>` gives goes on to another `|>` alone: put parentheses around it"}};
  if (last && compares(text))
    return {{locate(last), "one comparison does not follow another: join them by `and`"}};
  if (text == "/" && token->getInputStream()->getText(
                         antlr4::misc::Interval(token->getStopIndex() + 1, token->getStopIndex() + 1)) == "*")
    return {{location, "comments begin with `//`"}};
  if (text == "*" && before == "*")
    return {{location, "write `pow(a, b)`, or `square(a)`"}};
  if (token->getType() == NNParser::STRING)
    return {{location, getHint("\"")}};
  if (text == "if")
    return {{location, "write `if … then … else …`"}};
  if (isWord && expected.has("a name"))
    return {{location, "`" + text + "` is a word of the language: take another name"}};
  if (std::string near = isName ? suggestWord(text, expected.getWords()) : ""; !near.empty())
    return {{location, "did you mean `" + near + "`?"}};
  // `inptu x[3]` is taken for the begin of a definition.
  if (previous && previous->getType() == NNParser::ID && isName && expected.has("`=`"))
    if (std::string near = suggestWord(before, {"input", "output", "weight", "each"}); !near.empty())
      return {{locate(previous), "did you mean `" + near + "`?"}};
  return {};
}

void SyntaxErrors::syntaxError(antlr4::Recognizer *recognizer, antlr4::Token *token, size_t line, size_t,
                               const std::string &, std::exception_ptr) {
  auto *parser = dynamic_cast<antlr4::Parser *>(recognizer);
  auto addError = [&](const Location &location, const std::string &message, std::vector<Note> notes = {}) {
    diagnostics.push_back({Diagnostic::Severity::Error, location, message, std::move(notes)});
  };
  if (diagnostics.size() >= maxErrors || (!diagnostics.empty() && diagnostics.back().location.line == line))
    return;
  if (!parser || !token)
    return; // of the lexer, which has a token for every character
  Location location = locate(token);
  if (token->getType() == NNParser::OTHER || token->getType() == NNParser::FOREIGN)
    return sayForeign(location, token->getText(), token->getType() == NNParser::FOREIGN);
  std::string expected = Expected(*parser).describe();
  // Whether a list is of parameters or of values is known only behind it.
  auto *around = dynamic_cast<NNParser::LayerDeclContext *>(parser->getContext());
  if (around && token->getText() == "{")
    expected = "`->` and a result";
  std::string found = token->getType() == antlr4::Token::EOF ? "the end of the file" : "`" + token->getText() + "`";
  addError(location, "expected " + expected + ", found " + found, findNotes(*parser, token, location));
}

//===----------------------------------------------------------------------===//
// What comes after
//===----------------------------------------------------------------------===//

/// What is left of the line of the last token that was understood, up to a bracket that
/// closes one from before; of braces that open in it up to where they are closed.
void LineRecovery::skipLine(antlr4::Parser &parser) {
  antlr4::TokenStream &tokens = *parser.getTokenStream();
  antlr4::Token *last = tokens.LT(-1);
  size_t line = last ? last->getLine() : 0;
  for (int braces = 0, others = 0; tokens.LA(1) != antlr4::Token::EOF; parser.consume()) {
    const std::string text = tokens.LT(1)->getText();
    int &open = text == "{" || text == "}" ? braces : others;
    if ((braces == 0 && tokens.LT(1)->getLine() != line) || (closes(text) && open == 0))
      return;
    open += (text == "{" || text == "(" || text == "[") - closes(text);
  }
}

/// Nothing is left out that ends something, be it a line.
antlr4::Token *LineRecovery::singleTokenDeletion(antlr4::Parser *parser) {
  antlr4::TokenStream &tokens = *parser->getTokenStream();
  bool isLast = tokens.LA(1) == antlr4::Token::EOF || tokens.LT(1)->getLine() != tokens.LT(2)->getLine();
  return isLast || closes(tokens.LT(1)->getText()) ? nullptr : DefaultErrorStrategy::singleTokenDeletion(parser);
}

/// Where a declaration or a statement could stand and none does, the parser would give up
/// the whole list.
void LineRecovery::sync(antlr4::Parser *parser) {
  bool isList = dynamic_cast<NNParser::ProgramContext *>(parser->getContext()) ||
                dynamic_cast<NNParser::BlockContext *>(parser->getContext());
  antlr4::misc::IntervalSet expected = isList ? parser->getExpectedTokens() : antlr4::misc::IntervalSet();
  if (!isList || expected.contains(static_cast<ssize_t>(parser->getTokenStream()->LA(1))))
    return DefaultErrorStrategy::sync(parser);
  if (inErrorRecoveryMode(parser) || isDeclaration(*parser->getTokenStream()->LT(1)))
    return; // a declaration within a block: what lacks is its brace
  if (parser->getTokenStream()->LA(1) == antlr4::Token::EOF)
    return DefaultErrorStrategy::sync(parser);
  reportUnwantedToken(parser);
  parser->consume();
  skipLine(*parser);
  consumeUntil(parser, expected);
}

void LineRecovery::recover(antlr4::Parser *parser, std::exception_ptr exception) {
  skipLine(*parser);
  DefaultErrorStrategy::recover(parser, exception);
}

} // namespace nnc::dsl
