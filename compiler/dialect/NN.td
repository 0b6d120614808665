//===- NN.td - The nn dialect: a table of contents ------------------------===//

#ifndef NN_TD
#define NN_TD

include "compiler/dialect/Dialect.td"
include "compiler/dialect/ops/Structure.td"
include "compiler/dialect/ops/Elementwise.td"
include "compiler/dialect/ops/Dense.td"
include "compiler/dialect/ops/Conv.td"
include "compiler/dialect/ops/Pool.td"
include "compiler/dialect/ops/Norm.td"
include "compiler/dialect/ops/Reduce.td"
include "compiler/dialect/ops/Reshape.td"
include "compiler/dialect/ops/Loss.td"
include "compiler/dialect/ops/Each.td"
include "compiler/dialect/ops/Group.td"

#endif // NN_TD
