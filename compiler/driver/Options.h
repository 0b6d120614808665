//===- Options.h - What the user asks nnc for -----------------------------===//

#ifndef NNC_COMPILER_DRIVER_OPTIONS_H
#define NNC_COMPILER_DRIVER_OPTIONS_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nnc::driver {

/// What nnc ends with.
enum class ExitCode {
  Success = 0,
  WrongProgram = 1, ///< the source says something wrong
  WrongUsage = 2,   ///< the command line does
  InputOutput = 3,  ///< a file cannot be read or written, or cc cannot link
  Internal = 4      ///< the compiler's fault
};

/// How far nnc goes, in the order of the stations. It prints what leaves the
/// last one; the library is written to files.
enum class Emit {
  Ast,
  Model,
  Imported,
  Typed,
  Split,
  Unfolded,
  Differentiated,
  Optimized,
  Grouped,
  Planned,
  Algorithm,
  Loops,
  LLVM,
  Device,
  Assembly,
  Header,
  Library
};

/// What nnc explains, instead of compiling.
enum class Report { None, Groups, Memory, Bptt, Gradients };

/// The command line.
struct Options {
  std::string input;  ///< a .nn file, "-" for standard input, or a planned .mlir file
  std::string output; ///< a folder for the library, a file for what is printed; empty: here
  std::string target = "x86";
  std::vector<std::string> architectures; ///< of CUDA, that kernels are assembled for
  Emit emit = Emit::Library;
  unsigned optimization = 2; ///< of the entry functions
  bool sanitize = false;     ///< have AddressSanitizer check what kernels read and write
  std::string name;          ///< of the library; empty: the network's
  std::vector<std::pair<std::string, std::string>> parameters; ///< of networks: name and value, as written
  bool listsWeights = false;                                   ///< print the weights, instead of compiling
  bool leavesTrainingOut = false;                              ///< as if the source had no train blocks
  bool usesWinograd = true;                                    ///< where the target prefers it
  bool allWinograd = false;                                    ///< wherever it is possible, whatever it costs
  bool shared = false;                                         ///< write a shared library too
  std::string embeddedWeights;                                 ///< a safetensors file to start from
  std::string stdFolder;                                       ///< of the standard library; empty: the compiler's own
  std::string cacheFolder;                                     ///< empty: nothing is cached
  unsigned processes = 0;                                      ///< at once; 0: one a processor
  bool writeDependencies = false;
  std::string dependencyFile; ///< empty: the library's name with .d
  bool verifyDiagnostics = false;
  bool profiles = false;                  ///< the library measures each kernel
  bool recordsGradients = false;          ///< the library records statistics of each training step
  bool checksGradients = false;           ///< instead of writing a library
  Report report = Report::None;           ///< likewise
  int64_t batch = 0;                      ///< of a call that is checked or explained; 0: chosen
  std::map<std::string, int64_t> lengths; ///< of the same
};

/// Reads the command line. Gives an exit code instead when there is nothing to
/// compile: it was wrong, or asked a question that has been answered.
std::optional<ExitCode> parseOptions(int argc, char **argv, Options &options);

} // namespace nnc::driver

#endif // NNC_COMPILER_DRIVER_OPTIONS_H
