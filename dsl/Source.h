//===- Source.h - A text and places in it ---------------------------------===//

#ifndef NNC_DSL_SOURCE_H
#define NNC_DSL_SOURCE_H

#include <cstdint>
#include <memory>
#include <string>

namespace nnc::dsl {

/// One file's text. Sources are shared by the locations that point into them.
struct Source {
  std::string path; ///< as the user wrote it; "<stdin>" for standard input
  std::string text; ///< UTF-8
};

using SourcePtr = std::shared_ptr<const Source>;

/// A range of a source: 1-based line and column (in bytes) of its first
/// character, and its length in bytes (within one line, for underlining).
struct Location {
  SourcePtr source; ///< null for what has no place in a text
  uint32_t line = 0, column = 0, length = 0;
};

} // namespace nnc::dsl

#endif // NNC_DSL_SOURCE_H
