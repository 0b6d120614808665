//===- SyntaxErrors.h - What does not follow the grammar ------------------===//

#ifndef NNC_DSL_SYNTAXERRORS_H
#define NNC_DSL_SYNTAXERRORS_H

#include "dsl/Diagnostic.h"

#include "NNParser.h"

namespace nnc::dsl {

/// Says ANTLR's errors in the user's words: what was expected and what was found, and
/// what was meant where that is likely. One error a line, as those behind it mostly
/// follow from it, and a hundred in all.
class SyntaxErrors : public antlr4::BaseErrorListener {
public:
  SyntaxErrors(const SourcePtr &source, Diagnostics &diagnostics) : source(source), diagnostics(diagnostics) {}

  void syntaxError(antlr4::Recognizer *recognizer, antlr4::Token *token, size_t line, size_t column,
                   const std::string &message, std::exception_ptr exception) override;

private:
  Location locate(antlr4::Token *token) const;
  void sayForeign(const Location &location, const std::string &text, bool isWord);
  std::vector<Note> findNotes(antlr4::Parser &parser, antlr4::Token *token, const Location &location);

  const SourcePtr &source;
  Diagnostics &diagnostics;
};

/// Goes on with the next line after an error, behind the braces that open in its own, so
/// that the errors of other statements and declarations are said too.
class LineRecovery : public antlr4::DefaultErrorStrategy {
public:
  void sync(antlr4::Parser *parser) override;
  void recover(antlr4::Parser *parser, std::exception_ptr exception) override;

protected:
  antlr4::Token *singleTokenDeletion(antlr4::Parser *parser) override;

private:
  static void skipLine(antlr4::Parser &parser);
};

} // namespace nnc::dsl

#endif // NNC_DSL_SYNTAXERRORS_H
