//===- Group.td - What becomes one kernel ---------------------------------===//

#ifndef NN_GROUP_TD
#define NN_GROUP_TD

include "compiler/dialect/Dialect.td"

def NN_GroupOp : NN_Op<"group", [IsolatedFromAbove, SingleBlock, Pure]> {
  let summary = "ops that are computed together, in one kernel";
  let description = [{
    Holds at most one kind of anchor (an op that sums, of the group's family) and
    its element-wise neighbours. All results have the same shape.

    ```mlir
    %y = nn.group dense(%x, %weight) {
    ^bb0(%a: …, %w: …):
      …
      nn.yield outputs(%r : …)
    } : (…) -> …
    ```
  }];
  let arguments = (ins NN_FamilyAttr:$family, Variadic<NN_Any>:$inputs);
  let results = (outs Variadic<NN_Any>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$family `(` $inputs `)` $body attr-dict `:` functional-type($inputs, $results)";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{ YieldOp getYield(); }];
}

def NN_KernelOp : NN_Op<"kernel", [IsolatedFromAbove, SingleBlock, Symbol]> {
  let summary = "a group as a function: equal groups call the same one";
  let description = [{
    The dynamic extents are named d0, d1, … in the order in which they first
    appear among the arguments; adjacent dynamic extents that always stand
    together are one. A number of steps that is fixed stays a number. The arguments of the compiled function are the runtime's
    context, d0, d1, … as int32, then a buffer for each argument and each
    result.

    `in_place`, once planned, has the arguments whose memory a result may take: of
    each an element is read only for the same element of results.

    ```mlir
    nn.kernel dense @dense0 {
    ^bb0(%x: tensor<?x64xf32, #nn.dims<"d0">>, %w: tensor<10x64xf32, #nn.panel<dim = 0, width = 16>>):
      …
    }
    ```
  }];
  let arguments = (ins NN_FamilyAttr:$family, SymbolNameAttr:$sym_name,
    OptionalAttr<DenseI64ArrayAttr>:$in_place);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$family $sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    YieldOp getYield();
    /// The names d0, d1, … of the extents that are known only at run time.
    llvm::SmallVector<mlir::StringAttr> getExtents();
  }];
}

def NN_LaunchOp : NN_Op<"launch", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "calls a kernel";
  let description = [{
    `extents` are the lengths for d0, d1, … as products of the caller's names. The
    operands' elements are those of the kernel's arguments, under other extents.
    `places`, once planned, says where each result lies. On a device that works on several
    kernels at once it follows what is before it in its `branch`, and the launches that have
    the marks `after` as their `mark`.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, ArrayAttr:$extents, Variadic<NN_Any>:$inputs,
    OptionalAttr<ArrayAttr>:$places, OptionalAttr<I64Attr>:$branch, OptionalAttr<DenseI64ArrayAttr>:$after,
    OptionalAttr<I64Attr>:$mark);
  let results = (outs Variadic<NN_Any>:$results);
  let assemblyFormat = [{
    $kernel $extents `(` $inputs `)` attr-dict `:` functional-type($inputs, $results)
  }];
}

def NN_JoinOp : NN_Op<"join"> {
  let summary = "what follows waits for all branches";
  let assemblyFormat = "attr-dict";
}

#endif // NN_GROUP_TD
