//===- Each.td - Recurrence -----------------------------------------------===//

#ifndef NN_EACH_TD
#define NN_EACH_TD

include "compiler/dialect/Dialect.td"

def NN_EachOp : NN_Op<"each", [AttrSizedOperandSegments, AttrSizedResultSegments,
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects]> {
  let summary = "a loop over time";
  let description = [{
    For each step of the outermost dimension of the `sequences`, of which there
    are `trip`: a length, or a number written as a name. The body is
    given the step's index (counted from 0), one step of each sequence and the
    carried states; it yields the next states and what is stacked over time. The
    results are the stacked outputs, then the states after the last step.

    `places`, once planned: for each output where it is stacked, then for each
    state where its two slots are, one after the other. A state without slots
    (`unit`) is read in the next step where the step's value lies, in a stack.
    A state with slots is copied into the step's slot unless the launch that
    yields it is placed there (`carry`).

    With `backward` the steps are walked from the last to the first, each with its
    own index and its own slots of the stacks.

    With `segments` a step goes through a segment of a sequence. On the way back each
    is computed anew from the states before it, which are all that the loop keeps of it.

    With `unroll` the compiled loop goes on by so many steps at a time.

    Where the body yields `until` the loop stops after a step in which it holds for
    every example; the steps that are not taken are 0 in the outputs.

    The body may read what is defined outside. Ragged batches are masks in the
    body: the op itself runs all examples for all steps.

    ```mlir
    %y, %h_end = nn.each "T" sequences(%x) start(%h0) {
    ^bb0(%t: tensor<i32>, %x_t: tensor<?x8xf32, #nn.dims<"batch">>, %h: tensor<?x4xf32, #nn.dims<"batch">>):
      …
      nn.yield next(%h_next) outputs(%y_t) : …
    } : (…) -> (…)
    ```
  }];
  let arguments = (ins StrAttr:$trip, Variadic<NN_Any>:$sequences, Variadic<NN_Any>:$starts,
    UnitAttr:$backward, UnitAttr:$segments, OptionalAttr<I64Attr>:$unroll, OptionalAttr<ArrayAttr>:$places);
  let results = (outs Variadic<NN_Any>:$outputs, Variadic<NN_Any>:$finals);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    YieldOp getYield();
    mlir::BlockArgument getIndex() { return getBody().getArgument(0); }
    /// One step of each sequence.
    mlir::Block::BlockArgListType getElements();
    /// The states before a step.
    mlir::Block::BlockArgListType getCarried();
    /// The type of one step of a stacked value.
    static mlir::RankedTensorType getElementType(mlir::RankedTensorType stacked);
    /// The type of a value stacked over this loop's steps.
    mlir::RankedTensorType getStackedType(mlir::RankedTensorType element);
    /// Makes a loop of a body that ends in its yield, from which the results follow.
    static EachOp make(mlir::OpBuilder &builder, mlir::Location location, mlir::StringAttr trip, bool backward,
                       mlir::ValueRange sequences, mlir::ValueRange starts, mlir::Region &body);
    /// Replaces the loop by one with other sequences and outputs, which takes its
    /// body over, with an argument for each sequence already. `results` says for each
    /// old output its place among the new ones, or -1.
    EachOp replaceWith(mlir::ValueRange sequences, mlir::ValueRange outputs, llvm::ArrayRef<int> results);
  }];
}

def NN_YieldOp : NN_Op<"yield", [Pure, Terminator, AttrSizedOperandSegments,
    ParentOneOf<["EachOp", "GroupOp", "KernelOp"]>]> {
  let summary = "ends a step or a group";
  let description = [{
    `next` are the states after the step, `outputs` what is stacked (in a group:
    its results). `until`, a truth value for each example, says that no step of the
    example is left.
  }];
  let arguments = (ins Variadic<NN_Any>:$next, Variadic<NN_Any>:$outputs, Optional<NN_Bool>:$until);
  let assemblyFormat = [{
    (`next` `(` $next^ `:` type($next) `)`)? (`outputs` `(` $outputs^ `:` type($outputs) `)`)?
    (`until` `(` $until^ `:` type($until) `)`)? attr-dict
  }];
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, mlir::ValueRange(), mlir::ValueRange(), mlir::Value()); }]>];
}

#endif // NN_EACH_TD
