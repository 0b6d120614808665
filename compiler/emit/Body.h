//===- Body.h - The ops of a planned function -----------------------------===//
//
// Entry.cpp, Launch.cpp and Loop.cpp share this; others include Entry.h.
//
//===----------------------------------------------------------------------===//

#ifndef NNC_COMPILER_EMIT_BODY_H
#define NNC_COMPILER_EMIT_BODY_H

#include "compiler/emit/Entry.h"

namespace nnc::emit {

/// The loop around the code being written.
struct Loop {
  nn::EachOp op;
  mlir::Value step;                      ///< counted from 0
  llvm::SmallVector<mlir::Value> stacks; ///< of each output
  llvm::SmallVector<mlir::Value> slots;  ///< the first of each state's two; null where it has none
};

/// Writes the body of one run function.
class BodyEmitter {
public:
  BodyEmitter(EntryContext &context, mlir::func::FuncOp function, mlir::LLVM::LLVMFuncOp result);
  void emit(bool hasPlan);

private:
  void emitBlock(mlir::Block &block, const Loop *loop);
  void emitRead(nn::ReadOp read);
  void emitReturn(mlir::func::ReturnOp op);

  bool isReadLater(nn::StoreOp store);
  bool isReadLater(nn::StoreFlatOp store);
  void emitStore(nn::StoreOp store);
  void emitStoreGradient(nn::StoreGradientOp store);
  void emitStoreFlat(nn::StoreFlatOp store);
  void emitLateStores();

  // Launch.cpp
  void emitLaunch(nn::LaunchOp launch, const Loop *loop);
  void setBuffer(mlir::Value buffer, mlir::Value pointer, mlir::RankedTensorType type, mlir::ArrayAttr extents);
  mlir::Value getShape(mlir::RankedTensorType type, mlir::ArrayAttr extents);
  mlir::Value makeShape(llvm::ArrayRef<mlir::Value> sizes);
  mlir::Value orNothing(mlir::Value pointer, mlir::RankedTensorType type);
  mlir::Value chooseKernel(nn::LaunchOp launch, mlir::Value rows);
  mlir::Value getWorkAt(nn::LaunchOp launch, nn::KernelOp kernel);
  mlir::Value getTrafficAt(nn::LaunchOp launch);
  void enterBranch(nn::LaunchOp launch);

  // Poison.cpp
  void hideMemory(nn::LaunchOp launch, llvm::ArrayRef<mlir::Value> pointers);
  void showMemory();
  void findMemories();
  void setPoison(llvm::StringRef function, mlir::Value begin, mlir::Value bytes);

  // Loop.cpp
  void emitEach(nn::EachOp each, const Loop *outer);
  llvm::SmallVector<mlir::Value> emitSteps(Loop &loop, mlir::Value trip, llvm::ArrayRef<mlir::Value> starts,
                                           int64_t count);
  llvm::SmallVector<mlir::Value> emitStep(const Loop &loop);
  mlir::Value areAllSet(mlir::Value flags);
  mlir::Value findEnd(mlir::Value flags, mlir::Value done, mlir::Value trip);
  llvm::SmallVector<mlir::Value> getEnds(const Loop &loop, mlir::Value ended, llvm::ArrayRef<mlir::Value> states);
  void clearRest(const Loop &loop, mlir::Value trip, mlir::Value done);
  mlir::Value getIndexAddress(mlir::Value step);

  void findArguments();
  void findArenas(bool hasPlan);
  mlir::Value getStateAddress(nn::StateOp state);
  mlir::Value getStateOffset(llvm::ArrayRef<nn::StateOp> states, nn::StateOp state);
  bool onDevice() const { return context.kernels.device != targets::Device::Host; }
  void callRuntime(llvm::StringRef name, llvm::ArrayRef<mlir::Value> more);
  void copy(mlir::Value to, mlir::Value from, mlir::Value bytes);
  void clear(mlir::Value to, mlir::Value bytes);
  mlir::Value getGradientAddress(const Weight &weight);
  mlir::Value getFlatAddress(nn::FlatMemory memory);
  mlir::Value getPlace(nn::PlaceAttr place, const Loop *loop);
  nn::PlaceAttr getPlaceOf(mlir::Value root);

  /// Ends the current block; the new one follows it.
  mlir::Block *split();

  /// A field of the frame.
  mlir::Value getField(FrameField field);

  /// Writes code at the end of the entry block, where every block sees it.
  template <typename Fn> auto inEntry(Fn write) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(entryEnd);
    return write();
  }

  template <typename OpTy> OpTy lookup(mlir::FlatSymbolRefAttr symbol) {
    return context.source.lookupSymbol<OpTy>(symbol.getAttr());
  }

  EntryContext &context;
  mlir::func::FuncOp function;
  mlir::LLVM::LLVMFuncOp result;
  CodeBuilder builder;
  mlir::Operation *entryEnd = nullptr;
  mlir::Block *failure = nullptr; ///< returns the code that it is given
  std::optional<Lengths> lengths;
  std::map<FrameField, mlir::Value> fields;
  llvm::SmallVector<mlir::Value> arenas;
  mlir::Value workspaceBytes;                                      ///< of a sanitized library
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> memories; ///< address and bytes of each block of memory
  llvm::StringMap<mlir::Value> shapes;                             ///< by their dimensions
  mlir::Value buffers;                                             ///< one halide_buffer_t for each operand of a kernel
  llvm::DenseMap<mlir::Value, mlir::Value> addresses;
  llvm::SmallVector<nn::StoreOp> late;         ///< at the end of the function
  llvm::SmallVector<nn::StoreFlatOp> lateFlat; ///< likewise
  unsigned inputCount = 0;
};

/// The size of a halide_buffer_t.
inline constexpr int64_t bufferBytes = 56;

} // namespace nnc::emit

#endif // NNC_COMPILER_EMIT_BODY_H
