//===- KernelObject.cpp - A kernel's object as the library has it ---------===//

#include "compiler/emit/KernelObject.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace nnc::emit;

/// What Halide's code calls, and the functions of runtime/include/nnc/network.h that
/// stand for it.
static constexpr std::pair<StringLiteral, StringLiteral> calls[] = {
    {"halide_do_par_for", "nnc_kernel_parallel_for"},
    {"halide_cuda_initialize_kernels", "nnc_kernel_load"},
    {"halide_cuda_finalize_kernels", "nnc_kernel_unload"},
    {"halide_cuda_run", "nnc_kernel_run"},
    {"halide_cuda_device_interface", "nnc_device_interface"},
    {"halide_opencl_initialize_kernels", "nnc_kernel_load"},
    {"halide_opencl_finalize_kernels", "nnc_kernel_unload"},
    {"halide_opencl_run", "nnc_kernel_run"},
    {"halide_opencl_device_interface", "nnc_device_interface"},
    {"halide_copy_to_device", "nnc_device_copy_in"},
    {"halide_device_malloc", "nnc_device_malloc"},
    {"halide_device_free", "nnc_device_free"},
    {"halide_device_free_as_destructor", "nnc_device_free_as_destructor"},
    {"halide_malloc", "nnc_device_no_malloc"},
    {"halide_free", "nnc_device_no_free"},
};

static bool isAllowed(StringRef name) {
  return is_contained(std::array<StringRef, 4>{"memcpy", "memmove", "memset", "nnc_kernel_threads"}, name) ||
         any_of(calls, [&](auto &call) { return call.second == name; });
}

/// A kernel needs nothing at run time but these, and the sanitizer that checks it.
static Error checkUndefined(const object::ObjectFile &object, bool sanitized) {
  for (const object::SymbolRef &symbol : object.symbols()) {
    Expected<uint32_t> flags = symbol.getFlags();
    Expected<StringRef> name = symbol.getName();
    if (!flags || !name)
      return joinErrors(flags.takeError(), name.takeError());
    bool isKnown = isAllowed(*name) || (sanitized && name->starts_with("__asan_"));
    if ((*flags & object::SymbolRef::SF_Undefined) && !name->empty() && !isKnown)
      return createStringError("needs the symbol " + *name + ", which no kernel may");
  }
  return Error::success();
}

static Error addName(objcopy::NameMatcher &matcher, StringRef name) {
  return matcher.addMatcher(
      objcopy::NameOrPattern::create(name, objcopy::MatchStyle::Literal, [](Error error) { return error; }));
}

Expected<std::string> nnc::emit::renameKernel(StringRef bytes, StringRef from, StringRef to, bool sanitized) {
  auto open = [](StringRef bytes) { return object::ObjectFile::createObjectFile(MemoryBufferRef(bytes, "kernel")); };
  auto object = open(bytes);
  if (!object)
    return object.takeError();

  objcopy::ConfigManager config;
  config.Common.SymbolsToRename[from] = to;
  for (auto &[halide, ours] : calls)
    config.Common.SymbolsToRename[halide] = ours;
  config.Common.DiscardMode = objcopy::DiscardType::Locals; // .LCPI0_0 and its like
  // Both are asked for by the names that symbols had before.
  if (Error error = addName(config.Common.SymbolsToKeepGlobal, from))
    return error;
  objcopy::NameMatcher kernel;
  if (Error error = addName(kernel, from))
    return error;
  config.ELF.SymbolsToSetVisibility.emplace_back(std::move(kernel), static_cast<uint8_t>(ELF::STV_HIDDEN));

  SmallString<0> renamed;
  raw_svector_ostream os(renamed);
  if (Error error = objcopy::executeObjcopyOnBinary(config, **object, os))
    return error;
  auto result = open(renamed);
  if (!result)
    return result.takeError();
  if (Error error = checkUndefined(**result, sanitized))
    return error;
  return renamed.str().str();
}
