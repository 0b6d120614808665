//===- Elementwise.td - One element from the elements at the same place ---===//

#ifndef NN_ELEMENTWISE_TD
#define NN_ELEMENTWISE_TD

include "compiler/dialect/Dialect.td"

def NN_ElementwiseTrait : NativeOpTrait<"Elementwise"> {
  let cppNamespace = "::nnc::nn::OpTrait";
}

/// Operands have the shape of the result or of its last dimensions: a bias
/// [n] is added to [T][batch][n] as it is.
class NN_ElementwiseOp<string mnemonic, list<Trait> traits = []>
    : NN_ComputeOp<mnemonic, "Elementwise", !listconcat([NN_ElementwiseTrait], traits)>;

class NN_UnaryOp<string mnemonic, string opSummary> : NN_ElementwiseOp<mnemonic> {
  let summary = opSummary;
  let arguments = (ins NN_Float:$x);
  let results = (outs NN_Float:$result);
}

class NN_BinaryOp<string mnemonic, string opSummary, list<Trait> traits = []> : NN_ElementwiseOp<mnemonic, traits> {
  let summary = opSummary;
  let arguments = (ins NN_Any:$a, NN_Any:$b);
  let results = (outs NN_Any:$result);
}

class NN_CompareOp<string mnemonic, string opSummary> : NN_ElementwiseOp<mnemonic> {
  let summary = opSummary;
  let arguments = (ins NN_Any:$a, NN_Any:$b);
  let results = (outs NN_Bool:$result);
}

def NN_NegOp : NN_UnaryOp<"neg", "-x"> { let hasFolder = 1; }
def NN_AbsOp : NN_UnaryOp<"abs", "|x|">;
def NN_ExpOp : NN_UnaryOp<"exp", "e to the x">;
def NN_LogOp : NN_UnaryOp<"log", "natural logarithm">;
def NN_SqrtOp : NN_UnaryOp<"sqrt", "square root">;
def NN_SquareOp : NN_UnaryOp<"square", "x * x">;
def NN_TanhOp : NN_UnaryOp<"tanh", "hyperbolic tangent">;
def NN_SigmoidOp : NN_UnaryOp<"sigmoid", "1 / (1 + exp(-x))">;
def NN_ReluOp : NN_UnaryOp<"relu", "max(x, 0); NaN stays NaN">;
def NN_SoftplusOp : NN_UnaryOp<"softplus", "log(1 + exp(x))">;
def NN_GeluOp : NN_UnaryOp<"gelu", "x * (1 + erf(x / sqrt(2))) / 2 (Hendrycks & Gimpel 2016)">;
def NN_LeakyReluOp : NN_UnaryOp<"leaky_relu", "x where x > 0, else slope * x"> {
  let arguments = (ins NN_Float:$x, F64Attr:$slope);
}
def NN_EluOp : NN_UnaryOp<"elu", "x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015)"> {
  let arguments = (ins NN_Float:$x, F64Attr:$alpha);
}

def NN_AddOp : NN_BinaryOp<"add", "a + b", [Commutative]> { let hasFolder = 1; }
def NN_SubOp : NN_BinaryOp<"sub", "a - b"> { let hasFolder = 1; }
def NN_MulOp : NN_BinaryOp<"mul", "a * b, element by element", [Commutative]> { let hasFolder = 1; }
def NN_DivOp : NN_BinaryOp<"div", "a / b, element by element; on classes rounded down"> { let hasFolder = 1; }
def NN_MaxOp : NN_BinaryOp<"max", "the larger one; NaN where either is", [Commutative]>;
def NN_MinOp : NN_BinaryOp<"min", "the smaller one; NaN where either is", [Commutative]>;
def NN_PowOp : NN_BinaryOp<"pow", "a to the b">;

def NN_EqOp : NN_CompareOp<"eq", "a == b">;
def NN_NeOp : NN_CompareOp<"ne", "a != b">;
def NN_LtOp : NN_CompareOp<"lt", "a < b">;
def NN_LeOp : NN_CompareOp<"le", "a <= b">;
def NN_GtOp : NN_CompareOp<"gt", "a > b">;
def NN_GeOp : NN_CompareOp<"ge", "a >= b">;

def NN_AndOp : NN_BinaryOp<"and", "both", [Commutative]>;
def NN_OrOp : NN_BinaryOp<"or", "either", [Commutative]>;
def NN_NotOp : NN_ElementwiseOp<"not"> {
  let summary = "the opposite";
  let arguments = (ins NN_Bool:$x);
  let results = (outs NN_Bool:$result);
}

def NN_SelectOp : NN_ElementwiseOp<"select"> {
  let summary = "a where the condition holds, else b";
  let arguments = (ins NN_Bool:$condition, NN_Any:$a, NN_Any:$b);
  let results = (outs NN_Any:$result);
}

def NN_ToFloatOp : NN_ElementwiseOp<"to_float"> {
  let summary = "a class as a number";
  let arguments = (ins NN_Class:$x);
  let results = (outs NN_Float:$result);
}

def NN_DropoutOp : NN_ElementwiseOp<"dropout"> {
  let summary = "zeroes a share of the elements and scales the others (Srivastava et al. 2014)";
  let description = [{
    Which elements stay follows from a counter (Salmon et al. 2011): the element's
    place, the `site` in the network, `seed` (two words that differ in every call)
    and, in a loop, the `step`. So its derivative is the same op on the cotangent.
  }];
  let arguments = (ins NN_Float:$x, NN_Class:$seed, Optional<NN_Class>:$step, F64Attr:$rate, I64Attr:$site);
  let results = (outs NN_Float:$result);
}

def NN_MaskOp : NN_ElementwiseOp<"mask"> {
  let summary = "fills what lies past each example's own end";
  let description = [{
    Dimension `axis` is a free one. Steps t >= lengths[b] along it become `fill`,
    so that padding never enters a sum, a maximum or an output.
  }];
  let arguments = (ins NN_Any:$x, NN_Lengths:$lengths, I64Attr:$axis, F64Attr:$fill);
  let results = (outs NN_Any:$result);
  let hasFolder = 1;
}

def NN_CountOp : NN_ComputeOp<"count", "Elementwise"> {
  let summary = "how many elements lie along these dimensions, as a number";
  let description = [{ Reads no element of `x`. }];
  let arguments = (ins NN_Any:$x, DenseI64ArrayAttr:$axes);
  let results = (outs NN_Float:$result);
}

def NN_ExtentOp : NN_ComputeOp<"extent", "Elementwise"> {
  let summary = "how many elements lie along a dimension, as a class";
  let description = [{ Reads no element of `x`. }];
  let arguments = (ins NN_Any:$x, I64Attr:$axis);
  let results = (outs NN_Class:$result);
}

def NN_LengthsOp : NN_ElementwiseOp<"lengths"> {
  let summary = "lengths after a window has passed over time";
  let description = [{ max(0, floor((x + offset) / stride)) for each example. }];
  let arguments = (ins NN_Lengths:$x, I64Attr:$offset, I64Attr:$stride);
  let results = (outs NN_Lengths:$result);
}

#endif // NN_ELEMENTWISE_TD
