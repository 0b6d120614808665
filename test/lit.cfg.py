"""How lit runs the tests: every .nn, .mlir and .test file with a RUN line."""

import os
import subprocess
import sys

import lit.formats

config.name = "nnc"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".nn", ".mlir", ".test"]
config.excludes = ["conformance", "networks", "bench", "unit", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.nnc_build_dir, "test")

binaries = os.path.join(config.nnc_build_dir, "bin")
config.environment["PATH"] = os.pathsep.join([binaries, config.llvm_tools_dir, os.environ["PATH"]])
config.environment["XDG_CACHE_HOME"] = os.path.join(config.nnc_build_dir, "test", "cache")
# FileCheck shows what it looked at.
config.environment["FILECHECK_OPTS"] = "-dump-input-filter=error -color=0"

python = sys.executable
if "address" in config.nnc_sanitizers:
    config.available_features.add("sanitized")
    # A program that is not built with the sanitizer loads it before it loads a library that is.
    library = subprocess.run(["cc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout
    python = f"env LD_PRELOAD={library.strip()} {python}"

config.substitutions += [
    ("%python", python),
    ("%source", config.nnc_source_dir),
    ("%build", config.nnc_build_dir),
    ("%examples", os.path.join(config.nnc_source_dir, "examples")),
    ("%nnc-dsl", os.path.join(binaries, "nnc-dsl")),
    ("%std", os.path.join(config.nnc_source_dir, "dsl", "std")),
]
