//===- Files.h - Folders, and disks that are full --------------------------===//

#ifndef NNC_TEST_UNIT_RUNTIME_FILES_H
#define NNC_TEST_UNIT_RUNTIME_FILES_H

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace nnc::test {

namespace fs = std::filesystem;

/// A folder of the test's own.
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "nnc-runtime-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char *name) const { return path / name; }
  fs::path path;
};

/// Limits the size of files for one test, as a full disk does.
struct SmallDisk {
  explicit SmallDisk(rlim_t size) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit limit = {size, before.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    handler = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~SmallDisk() {
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  }
  rlimit before;
  void (*handler)(int);
};

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

} // namespace nnc::test

#endif // NNC_TEST_UNIT_RUNTIME_FILES_H
