//===- Ast.h - A program as it is written ---------------------------------===//

#ifndef NNC_DSL_AST_H
#define NNC_DSL_AST_H

#include "dsl/Source.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace nnc::dsl {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

/// `value`, `name = value` or `name in value`.
struct Argument {
  std::string name;   ///< empty when positional
  bool binds = false; ///< `name in value`
  ExprPtr value;
  Location location;
};

/// `a[at]`, `a[first:last]`; either end of a range may be left out.
struct Subscript {
  bool isRange = false;
  ExprPtr first, last;
};

struct Expr {
  enum class Kind {
    Name,    ///< text
    Number,  ///< number; text as written
    Size,    ///< number of bytes; text as written
    Boolean, ///< number is 0 or 1
    Unary,   ///< text: "-" or "not"; operands[0]
    Binary,  ///< text: "*", "+", "==", "and", …; two operands
    If,      ///< condition, then, else
    Pipe,    ///< operands[0] |> operands[1]
    Call,    ///< operands[0]( arguments )
    Index,   ///< operands[0][ subscripts ]
    Tuple    ///< (a, b, …)
  } kind;
  Location location;
  std::string text;
  double number = 0;
  uint32_t depth = 1; ///< of the tree below; the parser bounds it
  std::vector<ExprPtr> operands;
  std::vector<Argument> arguments;
  std::vector<Subscript> subscripts;
};

/// `name[shape] : class[classes]`.
struct PortDecl {
  std::string name;
  Location location;
  bool hasShape = false;
  std::vector<ExprPtr> shape;
  ExprPtr classes; ///< null for numbers
};

/// `name = value`; in a layer's or network's head.
struct ParamDecl {
  std::string name;
  Location location;
  ExprPtr value; ///< null when required
};

/// `name[shape] = initializer`.
struct WeightDecl {
  std::string name;
  Location location;
  std::vector<ExprPtr> shape;
  ExprPtr initializer; ///< null for the default
};

/// `h` or `h[t]`, on the left of `=`.
struct Place {
  std::string name, index; ///< index empty for a plain name
  Location location;
};

/// `from name[shape] : class[classes] = value`.
struct StartDecl {
  std::string name;
  Location location;
  bool hasShape = false;
  std::vector<ExprPtr> shape;
  ExprPtr classes; ///< null where it is not written
  ExprPtr value;
};

struct Statement {
  enum class Kind { Input, Output, Weight, Each, Definition } kind;
  Location location;
  std::vector<PortDecl> ports;     ///< Input, Output
  std::vector<WeightDecl> weights; ///< Weight
  std::vector<Place> places;       ///< Definition
  ExprPtr value;                   ///< Definition; of Each: what it goes through
  std::string index;               ///< Each
  std::vector<StartDecl> starts;   ///< Each
  ExprPtr until;                   ///< Each; may be null
  std::vector<Statement> body;     ///< Each
};

struct NetworkDecl {
  std::string name;
  Location location;
  std::vector<ParamDecl> params;
  std::vector<Statement> body;
};

struct LayerDecl {
  std::string name;
  Location location;
  std::vector<ParamDecl> params;
  std::vector<PortDecl> values, results;
  std::vector<Statement> body;
};

/// `name = value` or `given name = value`.
struct Setting {
  std::string name;
  bool given = false;
  ExprPtr value;
  Location location;
};

struct TrainDecl {
  std::string network, name; ///< name as written after `as`, else empty
  Location location;
  std::vector<PortDecl> labels;
  std::vector<Setting> settings;
};

struct ImportDecl {
  std::string path;
  Location location;
};

/// One file.
struct Ast {
  SourcePtr source;
  std::vector<ImportDecl> imports;
  std::vector<NetworkDecl> networks;
  std::vector<LayerDecl> layers;
  std::vector<TrainDecl> trains;
};

/// Prints an indented tree, for -emit=ast.
void print(const Ast &ast, std::ostream &os);

} // namespace nnc::dsl

#endif // NNC_DSL_AST_H
