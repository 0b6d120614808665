//===- Kernels.cpp - Kernels -> objects -----------------------------------===//
//
// A kernel is compiled under a name that its content gives, so that equal kernels
// of any two networks are equal objects and one cache serves both. The name that
// it has in its library is put in afterwards.
//
//===----------------------------------------------------------------------===//

#include "compiler/emit/Kernels.h"

#include "compiler/emit/Cache.h"
#include "compiler/emit/KernelObject.h"
#include "compiler/emit/Workers.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::emit;

/// Bytes that the cache may keep.
static constexpr uint64_t cacheSize = uint64_t(1) << 30;

//===----------------------------------------------------------------------===//
// Variants
//===----------------------------------------------------------------------===//

static targets::KernelShape getShape(nn::KernelOp kernel) {
  targets::KernelShape shape;
  shape.family = static_cast<targets::Family>(kernel.getFamily()); // they are in the same order
  RankedTensorType result = nn::getType(kernel.getYield().getOutputs().front());
  shape.dynamicRows = nn::getDynamicRank(result) > 0;
  ArrayRef<int64_t> fixed = nn::getFixedShape(result);
  shape.columns = fixed.empty() ? 1 : fixed.back();
  kernel.getBody().walk([&](nn::ComputeOp op) { shape.reduction = std::max(shape.reduction, op.getReductionSize()); });
  return shape;
}

/// The sets of instructions to compile for. A kernel's key has its target's
/// features, so that sanitized objects are entries of their own in the cache.
static std::vector<targets::Isa> getIsas(const targets::Target &target, const KernelOptions &options) {
  std::vector<targets::Isa> isas = target.isas();
  for (targets::Isa &isa : isas) {
    isa.architectures = options.architectures;
    if (options.sanitize)
      isa.target.set_feature(Halide::Target::ASAN);
  }
  return isas;
}

KernelTable emit::tabulateKernels(ModuleOp planned, const targets::Target &target) {
  KernelTable table;
  table.device = target.device();
  for (const targets::Isa &isa : target.isas())
    table.isas.push_back(isa.name);
  for (auto kernel : planned.getOps<nn::KernelOp>())
    table.add(kernel.getSymName(), target.variants(getShape(kernel)));
  return table;
}

//===----------------------------------------------------------------------===//
// Jobs
//===----------------------------------------------------------------------===//

namespace {

/// One kernel for one isa in one variant.
struct Job {
  nn::KernelOp kernel;
  const targets::Isa *isa;
  int64_t minRows;
  std::string symbol; ///< in the library
  std::string name;   ///< that its content gives
  std::string key;    ///< all that its object depends on
};

} // namespace

/// Identifies this compiler: an entry of another one's cache is not its own.
static const std::string &getBuildId() {
  static const std::string id = [] {
    auto self = llvm::MemoryBuffer::getFile("/proc/self/exe", /*IsText=*/false, /*RequiresNullTerminator=*/false);
    std::string hash;
    if (self)
      hash = llvm::utohexstr(llvm::xxh3_64bits(llvm::arrayRefFromStringRef((*self)->getBuffer())));
    return "nnc " NNC_VERSION " " + hash + " Halide " + std::to_string(HALIDE_VERSION_MAJOR) + "." +
           std::to_string(HALIDE_VERSION_MINOR) + "." + std::to_string(HALIDE_VERSION_PATCH);
  }();
  return id;
}

/// A copy of a kernel under another name, outside of the module.
static OwningOpRef<nn::KernelOp> rename(nn::KernelOp kernel, StringRef name) {
  OwningOpRef<nn::KernelOp> copy(kernel.clone());
  copy->setSymName(name);
  return copy;
}

/// The text of a kernel without its name or places in the source.
static std::string getText(nn::KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream os(text);
  rename(kernel, "kernel")->print(os, OpPrintingFlags().useLocalScope());
  return text;
}

static std::vector<Job> listJobs(ModuleOp planned, StringRef network, const KernelTable &table,
                                 ArrayRef<targets::Isa> isas, StringRef target) {
  std::vector<Job> jobs;
  for (auto &[symbol, slots] : table.kernels) {
    auto kernel = planned.lookupSymbol<nn::KernelOp>(symbol);
    std::string text = getText(kernel);
    for (const targets::Isa &isa : isas)
      for (unsigned variant = 0; variant < slots.minRows.size(); ++variant) {
        Job job{kernel, &isa, slots.minRows[variant], getKernelSymbol(network, symbol, slots, variant, isa.name),
                "",     ""};
        job.key = (target + "\n" + isa.name + " " + isa.target.to_string() + " " + llvm::join(isa.architectures, ",") +
                   "\nrows " + Twine(job.minRows) + "\n" + text)
                      .str();
        job.name = "nnc_kernel_" + llvm::utohexstr(llvm::xxh3_64bits(llvm::arrayRefFromStringRef(job.key)), true, 16);
        job.key = getBuildId() + "\n" + job.key;
        jobs.push_back(std::move(job));
      }
  }
  return jobs;
}

static LogicalResult reportFailure(const Job &job, llvm::Error error) {
  nn::KernelOp kernel = job.kernel;
  return kernel.emitError("internal error: kernel ")
         << job.symbol << " cannot be compiled: " << llvm::toString(std::move(error));
}

/// Runs Halide on each job, in a process of its own.
static FailureOr<std::vector<std::string>> compile(ArrayRef<const Job *> jobs, const targets::Target &target,
                                                   KernelForm form, unsigned processes) {
  WorkerLimits limits;
  limits.processes = processes;
  auto results = runInProcesses(
      jobs.size(),
      [&](size_t index) {
        const Job &job = *jobs[index];
        return compileKernel(*rename(job.kernel, job.name), target, *job.isa, job.minRows, form);
      },
      limits);
  std::vector<std::string> all;
  bool failed = false;
  for (auto [job, result] : llvm::zip_equal(jobs, results)) {
    if (result)
      all.push_back(std::move(*result));
    else
      failed = mlir::failed(reportFailure(*job, result.takeError())) || failed;
  }
  if (failed)
    return failure();
  return all;
}

//===----------------------------------------------------------------------===//
// Objects and texts
//===----------------------------------------------------------------------===//

FailureOr<std::vector<CompiledKernel>> emit::compileKernels(ModuleOp planned, StringRef network,
                                                            const KernelTable &table, const targets::Target &target,
                                                            const KernelOptions &options) {
  Cache cache(options.cacheFolder);
  std::vector<targets::Isa> isas = getIsas(target, options);
  std::vector<Job> jobs = listJobs(planned, network, table, isas, target.name());
  std::vector<std::string> objects(jobs.size());
  std::vector<const Job *> missing;
  for (auto [job, object] : llvm::zip_equal(jobs, objects)) {
    if (std::optional<std::string> known = cache.read(job.key))
      object = std::move(*known);
    else
      missing.push_back(&job);
  }
  if (!missing.empty()) {
    auto compiled = compile(missing, target, KernelForm::Object, options.processes);
    if (failed(compiled))
      return failure();
    for (auto [job, object] : llvm::zip_equal(missing, *compiled)) {
      cache.write(job->key, object);
      objects[job - jobs.data()] = std::move(object);
    }
    cache.trim(cacheSize);
  }

  std::vector<CompiledKernel> kernels;
  for (auto [job, object] : llvm::zip_equal(jobs, objects)) {
    auto renamed = renameKernel(object, job.name, job.symbol, options.sanitize);
    if (!renamed)
      return reportFailure(job, renamed.takeError());
    kernels.push_back({job.symbol, std::move(*renamed)});
  }
  return kernels;
}

FailureOr<std::string> emit::printKernels(ModuleOp planned, StringRef network, const KernelTable &table,
                                          const targets::Target &target, KernelForm form,
                                          const KernelOptions &options) {
  std::vector<targets::Isa> isas = getIsas(target, options);
  std::vector<Job> jobs = listJobs(planned, network, table, isas, target.name());
  std::vector<const Job *> wanted;
  for (Job &job : jobs) {
    bool isFirst = wanted.empty() || wanted.back()->kernel != job.kernel;
    if (form == KernelForm::Algorithm && !isFirst)
      continue;
    // People read these texts: the library's names serve better there.
    job.name = form == KernelForm::Algorithm ? job.kernel.getSymName().str() : job.symbol;
    wanted.push_back(&job);
  }
  auto texts = compile(wanted, target, form, options.processes);
  if (failed(texts))
    return failure();
  return llvm::join(*texts, "\n");
}

FailureOr<std::vector<std::string>> emit::describeKernels(ModuleOp planned, StringRef network, const KernelTable &table,
                                                          const targets::Target &target, KernelForm form,
                                                          const KernelOptions &options) {
  std::vector<targets::Isa> isas = getIsas(target, options);
  std::vector<Job> jobs = listJobs(planned, network, table, ArrayRef(isas).take_back(), target.name());
  std::vector<const Job *> wanted;
  for (Job &job : jobs) {
    job.name = job.symbol;
    wanted.push_back(&job);
  }
  return compile(wanted, target, form, options.processes);
}
