//===- PrefetchHints.cpp - Where lines go that are asked for early --------===//
//
// Halide asks with `prefetchnta`: lines come to L1 alone, and are gone when they leave it. What
// is asked for early is more than L1 holds (targets/x86/PrefetchWeights.cpp), so that it would come from
// memory twice; `prefetcht1` brings it to L2.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/PrefetchHints.h"

#include "llvm-c/Target.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCTargetOptions.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace {

/// Reads x86-64 code, instruction by instruction.
class CodeReader {
public:
  CodeReader() : triple("x86_64-unknown-linux-gnu") {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    std::string message;
    target = TargetRegistry::lookupTarget(triple, message);
    registers.reset(target->createMCRegInfo(triple));
    assembly.reset(target->createMCAsmInfo(*registers, triple, MCTargetOptions()));
    subtarget.reset(target->createMCSubtargetInfo(triple, "", ""));
    instructions.reset(target->createMCInstrInfo());
    context = std::make_unique<MCContext>(triple, assembly.get(), registers.get(), subtarget.get());
    disassembler.reset(target->createMCDisassembler(*subtarget, *context));
  }

  /// The name and the length of the instruction at `offset`; "" when there is none.
  std::pair<StringRef, uint64_t> read(ArrayRef<uint8_t> code, uint64_t offset) const {
    MCInst instruction;
    uint64_t length = 0;
    if (disassembler->getInstruction(instruction, length, code.drop_front(offset), offset, nulls()) !=
        MCDisassembler::Success)
      return {"", 1};
    return {instructions->getName(instruction.getOpcode()), length};
  }

private:
  Triple triple;
  const Target *target = nullptr;
  std::unique_ptr<MCRegisterInfo> registers;
  std::unique_ptr<MCAsmInfo> assembly;
  std::unique_ptr<MCSubtargetInfo> subtarget;
  std::unique_ptr<MCInstrInfo> instructions;
  std::unique_ptr<MCContext> context;
  std::unique_ptr<MCDisassembler> disassembler;
};

} // namespace

/// Of `prefetchnta` and all that differ from it in where lines go.
static constexpr std::array<uint8_t, 2> opcode{0x0f, 0x18};

/// The place where lines go is in the byte after the opcode, bits 3 to 5.
static bool setHint(MutableArrayRef<uint8_t> instruction, uint8_t hint) {
  auto *at = std::search(instruction.begin(), instruction.end(), opcode.begin(), opcode.end());
  if (instruction.end() - at < 3)
    return false;
  at[2] = static_cast<uint8_t>((at[2] & ~0x38) | hint << 3);
  return true;
}

Error nnc::emit::prefetchToL2(std::string &object) {
  static constexpr uint8_t toL2 = 2;
  auto file = object::ObjectFile::createObjectFile(MemoryBufferRef(object, "kernel"));
  if (!file)
    return file.takeError();
  for (const object::SectionRef &section : (*file)->sections()) {
    if (!section.isText() || section.getSize() == 0)
      continue;
    Expected<StringRef> contents = section.getContents();
    if (!contents)
      return contents.takeError();
    MutableArrayRef<uint8_t> code(reinterpret_cast<uint8_t *>(object.data() + (contents->data() - object.data())),
                                  contents->size());
    if (std::search(code.begin(), code.end(), opcode.begin(), opcode.end()) == code.end())
      continue; // most kernels ask for nothing
    static const CodeReader reader;
    for (uint64_t offset = 0; offset < code.size();) {
      auto [name, length] = reader.read(code, offset);
      if (name.empty())
        return createStringError("the code of a kernel cannot be read at " + Twine(offset));
      if (name == "PREFETCHNTA" && !setHint(code.slice(offset, length), toL2))
        return createStringError("a prefetch cannot be changed at " + Twine(offset));
      offset += length;
    }
  }
  return Error::success();
}

void nnc::emit::prefetchToL2InAssembly(std::string &text) {
  static constexpr StringRef from = "prefetchnta", to = "prefetcht1";
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
    text.replace(at, from.size(), to.str());
}
