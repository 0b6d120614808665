//===- Diagnostic.h - What is wrong with a program ------------------------===//

#ifndef NNC_DSL_DIAGNOSTIC_H
#define NNC_DSL_DIAGNOSTIC_H

#include "dsl/Source.h"

#include <string>
#include <vector>

namespace nnc::dsl {

/// A remark that explains an error: where a shape arose, what was meant.
struct Note {
  Location location;
  std::string message;
};

/// One mistake of the user: lower case, no full stop, both numbers, the user's
/// own names; what to do instead stands in a note.
struct Diagnostic {
  enum class Severity { Error, Warning } severity = Severity::Error;
  Location location;
  std::string message;
  std::vector<Note> notes;
};

using Diagnostics = std::vector<Diagnostic>;

} // namespace nnc::dsl

#endif // NNC_DSL_DIAGNOSTIC_H
