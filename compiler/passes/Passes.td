//===- Passes.td - The passes, in the order of the pipeline ---------------===//

#ifndef NN_PASSES_TD
#define NN_PASSES_TD

include "mlir/Pass/PassBase.td"

def InferShapes : Pass<"nn-infer-shapes", "mlir::ModuleOp"> {
  let summary = "Give every value its shape";
  let description = [{
    Results that were left open (`tensor<*xf32>`) get the type that their
    operands give. What the importer writes is typed already, so on its output
    the pass changes nothing.

    Postcondition: every tensor is ranked, and only the batch and lengths are
    dynamic.
  }];
}

def SegmentTime : Pass<"nn-segment-time", "mlir::ModuleOp"> {
  let summary = "Go through sequences in segments, of which states alone are kept";
  let description = [{
    In a function whose `nn.train` has `checkpoint`, loops over a length `T` and what
    treats its steps one by one move into a loop over `T.segments` segments of
    `T.steps` steps; sums over the steps become states of it. Its derivative computes
    each segment anew from the states before it.

    ```mlir
    %y, %h = nn.each "T" sequences(%x) start(%h0) { … }
    %loss = nn.sum %y, %lengths
    // becomes
    %h, %loss = nn.each "T.segments" start(%h0, %zero) attributes {segments} {
      %x_s = nn.segment %x, %first
      %y_s, %h_s = nn.each "T.steps" sequences(%x_s) start(%before) { … }
      …
    }
    ```

    Postcondition: outside of such loops no loop over a length carries states, but for
    those that read whole sequences.
  }];
}

def SplitTime : Pass<"nn-split-time", "mlir::ModuleOp"> {
  let summary = "Move out of time loops what does not depend on the carried state";
  let description = [{
    What only reads the sequences (an input projection) is computed for all steps
    before the loop, what only feeds outputs (a projection of the states) after
    it: one large contraction instead of many small ones.

    ```mlir
    nn.each "T" sequences(%x) start(%h0) { …  %p = nn.dense %x_t, %u  … }
    // becomes
    %p = nn.dense %x, %u
    nn.each "T" sequences(%p) start(%h0) { … }
    ```

    Postcondition: no loop's body holds a contraction of its sequences alone.
  }];
}

def LowerLosses : Pass<"nn-lower-losses", "mlir::ModuleOp"> {
  let summary = "Write losses as sums of element-wise values";
  let description = [{
    A loss of probabilities becomes one of the logits that they come from: the
    cross entropy of a softmax is minus the log-softmax at the label.

    ```mlir
    %l = nn.cross_entropy %y, %label   // %y = nn.softmax %x
    // becomes
    %p = nn.log_softmax %x
    %l = nn.neg (nn.sum (%p where one_hot(%label)))
    ```

    Postcondition: no op of the loss family is left.
  }];
}

def RecordStatistics : Pass<"nn-record-statistics", "mlir::ModuleOp"> {
  let summary = "Let training record what becomes of values and errors in each layer";
  let description = [{
    In a function whose `nn.train` has `statistics`, for each layer: how many elements of
    its value are not finite, the share that is saturated (tanh, sigmoid), the share of
    units that are 0 for all examples (relu), and by a probe the norm of its error. Each
    is a number, stored in a state of the context. What lies past an example's end does
    not count. Values in loops are stacked, so that the numbers are taken of all steps
    at once.

    ```mlir
    %h = nn.tanh %z
    // becomes
    %h = nn.tanh %z
    … nn.store @train.statistic0.not_finite, %n … nn.store @train.statistic0.saturated, %s
    %p = nn.probe "error" in @train.statistic0.error
    %h' = nn.add %h, %p   // what follows reads it
    ```

    Postcondition: each such state has one store, or one probe.
  }];
}

def MeasureFlow : Pass<"nn-measure-flow", "mlir::ModuleOp"> {
  let summary = "Let a function measure how errors flow back through the states of loops";
  let description = [{
    A function with `nn.flow` gives the loss of each example. It gets an argument more,
    the number of a step, and its loss becomes what that step adds to it: where the loss
    is a sum or mean over steps, the others are left out. A negative number asks for all.
    Each state of a loop gets a probe. What the function would store is dropped.

    Postcondition: no store; every active state of a loop at the top has a probe.
  }];
}

def Differentiate : Pass<"nn-differentiate", "mlir::ModuleOp"> {
  let summary = "Build the gradients of losses with respect to weights";
  let description = [{
    A function with `nn.train`, which gives the loss of each example, becomes
    `@<name>_gradients`: it gives their mean (or sum) and sets the gradient of each
    trained weight, summed over the examples. The derivative of a loop is a loop
    backwards over what the forward loop stacks; contractions that make weights'
    gradients are taken after it, over all steps at once. A function with `nn.flow`
    gives the norms of its probes instead.

    ```mlir
    func.func @train(%x, %label) -> %losses
    // becomes
    func.func @train_gradients(%x, %label) -> tensor<f32> { … nn.store_gradient @W, %g … }
    ```

    Postcondition: every trained weight has one `nn.store_gradient` in each function
    with `nn.train`; no probe is left.
  }];
}

def StackOperands : Pass<"nn-stack-operands", "mlir::ModuleOp"> {
  let summary = "Put together after a loop what its steps put together";
  let description = [{
    An output that is a concatenation of what the step is handed becomes one of sequences and of delayed stacks, for
    all steps at once. For targets on which a kernel costs more than what it stores: in the step, the contractions that
    read the concatenation put it together themselves.

    ```mlir
    %hs, %xhs, %end = nn.each "T" sequences(%x) start(%h0) {
      %xh = nn.concat %x_t, %h {axis = 1}  …  nn.yield next(%h_next) outputs(%h_next, %xh)
    }
    // becomes, in place of %xhs
    %before = nn.delay %hs, %h0
    %xhs = nn.concat %x, %before {axis = 2}
    ```
  }];
}

def PruneLoops : Pass<"nn-prune-loops", "mlir::ModuleOp"> {
  let summary = "Drop states and outputs of loops that nothing needs";
  let description = [{
    What is left of a loop over segments, once the loss and its derivative are computed
    by the loop backwards, is what its states need.

    Postcondition: every output of a loop is read; every state, too, or another one
    follows from it.
  }];
}

def UnrollTime : Pass<"nn-unroll-time", "mlir::ModuleOp"> {
  let summary = "Let loops over a length go on by several steps at a time";
  let description = [{
    In a function whose `nn.train` has `unroll = k`, each loop over a length, forward
    and backward, gets the attribute: the compiled loop has k steps one after the other,
    and another one for what is left.

    ```mlir
    nn.each "T" sequences(%x) start(%h) { … }
    // becomes
    nn.each "T" sequences(%x) start(%h) attributes {unroll = 4 : i64} { … }
    ```
  }];
}

def UnfoldTime : Pass<"nn-unfold-time", "mlir::ModuleOp"> {
  let summary = "Write out the steps of loops, for readers";
  let description = [{
    Not on the way to a library: `-emit=nn-bptt`. In functions with `nn.train` the loops of a
    fixed number of steps become copies of their bodies, one a step, each of which reads the
    weights by itself. Of more than 8 steps two at each end are written out; those between
    stay a loop.

    ```mlir
    %W = nn.read @W
    nn.each "3" sequences(%x) start(%h0) { … nn.dense %h, %W … }
    // becomes
    %W_1 = nn.read @W
    … nn.dense %h0, %W_1 …
    %W_2 = nn.read @W
    … nn.dense %h_1, %W_2 …
    ```

    Every op of such a function then has the mark `nn.unfolded`.
  }];
}

def Simplify : Pass<"nn-simplify", "mlir::ModuleOp"> {
  let summary = "Fold, drop what no output needs, turn batch norm into a scale and a shift";
  let description = [{
    Batch norm with fixed statistics is `x * s + t` with vectors `s` and `t` that
    depend on weights alone; repeats that consumers do themselves vanish; common
    subexpressions are computed once.

    Postcondition: no `nn.batch_norm` is left.
  }];
}

def ChooseWinograd : Pass<"nn-choose-winograd", "mlir::ModuleOp"> {
  let summary = "Convolve by tiles where that is faster";
  let description = [{
    A convolution of an image with a weight of 3 by 3, in steps of 1, becomes one by
    Winograd's algorithm where the target says that it is faster. Its weights depend on
    the kernel alone, so that HoistWeights computes them once. In train blocks the
    cotangent of its image does, whose weights each step computes, and what goes forward
    stays as exact as direct sums. Where the target says so the image is transformed by an op
    of its own. `width`, `least` (channels on both sides) and `transformed` (channels of such an
    image) stand in for the target's choices when the pass runs alone.

    ```mlir
    %1 = nn.conv %x, %k {…}
    // becomes
    %u = nn.winograd_weights %k
    %1 = nn.winograd_conv %x, %u {padding = …}
    ```
  }];
  let options = [Option<"width", "width", "int64_t", "16", "Width of a panel">,
                 Option<"least", "least", "int64_t", "1", "Least channels">,
                 Option<"transformed", "transformed", "int64_t", "1000000", "Least channels to transform before">];
}

def LayWeights : Pass<"nn-lay-weights", "mlir::ModuleOp"> {
  let summary = "Choose how each weight lies in memory";
  let description = [{
    A weight that only contractions read is stored in the panels that they walk
    through, once: reading and writing it by name converts. The gradients of what
    it is multiplied with read a copy, `nn.pack`, in panels of its inputs. `width`
    stands in for the target's choice when the pass runs alone.
  }];
  let options = [Option<"width", "width", "int64_t", "16", "Width of a panel">];
}

def ApplyOptimizer : Pass<"nn-apply-optimizer", "mlir::ModuleOp"> {
  let summary = "Make a function that updates the weights by their gradients";
  let description = [{
    For each function with `nn.train` a function `@<name>_update`: clipping, weight
    decay and the optimizer's equations on all trained weights as one vector. Its
    arguments are scalars that the runtime gives: the rate, the scale of the
    gradients (1 / examples), and 1 - beta^step for each beta of the optimizer.

    ```mlir
    func.func @train_update(%rate: tensor<f32>, %scale: tensor<f32>) {
      %w = nn.flat weights : tensor<60464xf32>
      %g = nn.flat gradients : tensor<60464xf32>
      …
      nn.store_flat weights, %new : tensor<60464xf32>
    }
    ```

    Postcondition: each function with `nn.train` has its update behind it.
  }];
}

def HoistWeights : Pass<"nn-hoist-weights", "mlir::ModuleOp"> {
  let summary = "Compute once what depends on weights alone";
  let description = [{
    Such values move to `@prepare`, which runs when the weights have changed, and
    are read as `nn.prepared`. What costs nothing (constants, repeats) stays.

    Postcondition: every op of `@infer` that computes depends on an argument or a
    state.
  }];
}

def RotateLoops : Pass<"nn-rotate-loops", "mlir::ModuleOp"> {
  let summary = "Begin the steps of a loop with its sums";
  let description = [{
    A state whose next value is a sum, of products by weights and of values, is not carried: the operands of the sum
    are, and the next step begins with it. What the step makes of the state, element by element, is then computed with
    the sum, where it was a kernel of its own before. For targets on which a kernel costs more than what it stores. The
    operands start as 0, and the state, where it does not, as one of the values.

    ```mlir
    nn.each backward "T" sequences(%y) start(%zero) {
    ^bb0(%t, %y_t, %dh):
      %dz = nn.mul %y_t, %dh
      %dh_next = nn.dense_input_gradient %dz, %w
      nn.yield next(%dh_next) outputs(%dz)
    }
    // becomes
    nn.each backward "T" sequences(%y) start(%zeros) {
    ^bb0(%t, %y_t, %dz_before):
      %dh = nn.dense_input_gradient %dz_before, %w
      %dz = nn.mul %y_t, %dh
      nn.yield next(%dz) outputs(%dz)
    }
    ```
  }];
}

def Recompute : Pass<"nn-recompute", "mlir::ModuleOp"> {
  let summary = "Copy what is cheaper to compute again than to store";
  let description = [{
    An addition or multiplication by one number a column of a value that is stored
    anyway has one reader afterwards: each other one has a copy. No pass behind it
    may merge equal ops.
  }];
}

def FormGroups : Pass<"nn-form-groups", "mlir::ModuleOp"> {
  let summary = "Gather ops that are computed together";
  let description = [{
    Each anchor (an op that sums or moves elements) takes the element-wise ops
    that follow it into its `nn.group`; contractions of one operand by weights of
    one shape, such as the gates of a recurrent cell, share one, as do the gradients of
    these weights, as many as the target sums at once, and norms of rows that meet.
    Constants, repeats and comparisons are copied into every group that reads them.

    ```mlir
    %0 = nn.dense %x, %w
    %1 = nn.add %0, %b
    %2 = nn.tanh %1
    // becomes
    %2 = nn.group dense(%x, %w, %b) { … }
    ```

    Postcondition: every op that computes is in a group.
  }];
  let options = [Option<"gradients", "gradients", "unsigned", "1",
                        "Gradients of weights in panels that share a group">,
                 Option<"fewKernels", "few-kernels", "bool", "false",
                        "A kernel costs more than what it stores">];
}

def OutlineKernels : Pass<"nn-outline-kernels", "mlir::ModuleOp"> {
  let summary = "Make each group a kernel, equal ones the same";
  let description = [{
    Dynamic extents get names of the kernel's own; those that always stand
    together become one, so that a matrix of T times batch rows is the same
    kernel as one of batch rows. Where a group tells only the last dimension
    apart, as element-wise ops and sums over all others do, the fixed dimensions
    before it are rows, too: batch norm of 8 images of 28 by 28 pixels is the same
    kernel as that of 32 images of 14 by 14.

    Postcondition: no group is left; a kernel of each text is there once.
  }];
}

def OrderLaunches : Pass<"nn-order-launches", "mlir::ModuleOp"> {
  let summary = "Compute when it takes least room";
  let description = [{
    A launch that reads weights or arguments alone moves to where its result is first
    read, one whose results have fewer dimensions than what it reads to where that is
    there.
  }];
}

def PlanBuffers : Pass<"nn-plan-buffers", "mlir::ModuleOp"> {
  let summary = "Give every value its place in memory";
  let description = [{
    The workspace is a list of arenas, one for each product of lengths that sizes
    are proportional to. In an arena values whose lifetimes do not overlap share
    bytes; offsets and sizes are counted for one unit, so that one plan serves
    every batch and length. Results of the function are computed in the caller's
    buffers, stacked outputs of a loop in their slots.

    Where the target's kernels work in place, the stack of a loop takes the memory of
    a sequence of the loop's if the kernel that computes a step of the one is the last
    to read that step of the other, element by element. The kernel is told so: `in_place`.

    Postcondition: every launch and every loop has places, and no two buffers that
    live at once overlap, which the pass checks.
  }];
  let options = [Option<"inPlace", "in-place", "bool", "false",
                        "Results of products and of element-wise kernels may lie where operands do">];
}

def BranchLaunches : Pass<"nn-branch-launches", "mlir::ModuleOp"> {
  let summary = "Say which launches need not wait for each other";
  let description = [{
    For devices that work on several kernels at once. Each launch outside of loops has a `branch`, of so many, within
    which they are in order, and waits for the launches of others that compute what it reads, or that read or write
    where it writes: these have a `mark`, and are in its `after`. `nn.join` stands where all wait: around loops and
    copies, at the start and at the end. A function whose launches all follow each other stays as it is.

    ```mlir
    nn.join
    %0 = nn.launch @dense0 [](%x, %w) {branch = 0, mark = 0}
    %1 = nn.launch @dense0 [](%x, %v) {branch = 1}
    %2 = nn.launch @add0 [](%0, %1) {branch = 1, after = array<i64: 0>}
    nn.join
    ```
  }];
  let options = [Option<"branches", "branches", "unsigned", "4", "Branches">];
}

#endif // NN_PASSES_TD
