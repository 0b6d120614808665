//===- Embed.h - Weights inside a library ---------------------------------===//

#ifndef NNC_COMPILER_EMIT_EMBED_H
#define NNC_COMPILER_EMIT_EMBED_H

#include "compiler/emit/Network.h"

#include "llvm/Support/Error.h"

namespace nnc::emit {

/// The safetensors file at `path` as part of a library of this network. An error
/// unless it holds exactly the network's weights in their shapes.
llvm::Expected<EmbeddedFile> openEmbedded(llvm::StringRef path, const Interface &interface);

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_EMBED_H
