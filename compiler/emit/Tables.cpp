//===- Tables.cpp - Constant tables of C structures -----------------------===//

#include "compiler/emit/Tables.h"

using namespace mlir;
using namespace nnc::emit;

static Type getType(CodeBuilder &builder, const Field &field) {
  if (std::holds_alternative<int32_t>(field))
    return builder.getI32Type();
  if (std::holds_alternative<int64_t>(field))
    return builder.getI64Type();
  if (std::holds_alternative<double>(field))
    return builder.getF64Type();
  return builder.pointerType();
}

static Value getValue(CodeBuilder &builder, const Field &field) {
  if (auto *number = std::get_if<int32_t>(&field))
    return builder.i32(*number);
  if (auto *number = std::get_if<int64_t>(&field))
    return builder.i64(*number);
  if (auto *number = std::get_if<double>(&field))
    return LLVM::ConstantOp::create(builder, builder.getF64Type(), builder.getF64FloatAttr(*number));
  const Symbol &symbol = std::get<Symbol>(field);
  if (symbol.name.empty())
    return builder.null();
  return LLVM::AddressOfOp::create(builder, builder.pointerType(), symbol.name);
}

Symbol Tables::addText(StringRef text) {
  Symbol &symbol = texts[text];
  if (!symbol.name.empty())
    return symbol;
  symbol.name = "text" + std::to_string(texts.size() - 1);
  std::string bytes = text.str() + '\0';
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
  LLVM::GlobalOp::create(builder, type, /*isConstant=*/true, LLVM::Linkage::Private, symbol.name,
                         builder.getStringAttr(bytes));
  return symbol;
}

Symbol Tables::add(ArrayRef<Row> rows, StringRef name, LLVM::Linkage linkage) {
  if (rows.empty())
    return {};
  SmallVector<Type> fields;
  for (const Field &field : rows.front())
    fields.push_back(getType(builder, field));
  auto structType = LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);
  auto type = LLVM::LLVMArrayType::get(structType, rows.size());
  Symbol symbol{name.empty() ? "table" + std::to_string(count++) : name.str()};
  auto global = LLVM::GlobalOp::create(builder, type, /*isConstant=*/true, linkage, symbol.name, Attribute());

  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&global.getInitializerRegion());
  Value table = LLVM::UndefOp::create(builder, type);
  for (auto [index, row] : llvm::enumerate(rows)) {
    Value entry = LLVM::UndefOp::create(builder, structType);
    for (auto [position, field] : llvm::enumerate(row))
      entry = LLVM::InsertValueOp::create(builder, entry, getValue(builder, field),
                                          ArrayRef<int64_t>(static_cast<int64_t>(position)));
    table = LLVM::InsertValueOp::create(builder, table, entry, ArrayRef<int64_t>(static_cast<int64_t>(index)));
  }
  LLVM::ReturnOp::create(builder, table);
  return symbol;
}
