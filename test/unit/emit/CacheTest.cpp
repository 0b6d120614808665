//===- CacheTest.cpp - Kernels compiled before ----------------------------===//

#include "compiler/emit/Cache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

using namespace nnc::emit;
namespace fs = llvm::sys::fs;

namespace {

class CacheTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path;
    ASSERT_FALSE(fs::createUniqueDirectory("nnc-cache-test", path));
    folder = path.str().str();
  }
  void TearDown() override { fs::remove_directories(folder); }

  std::vector<std::string> list() {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; entry != end && !error; entry.increment(error))
      files.push_back(entry->path());
    return files;
  }

  std::string folder;
};

} // namespace

TEST_F(CacheTest, GivesBackWhatWasWritten) {
  Cache cache(folder);
  std::string bytes("\0\1object\0", 9);
  EXPECT_EQ(cache.read("key"), std::nullopt);
  cache.write("key", bytes);
  EXPECT_EQ(cache.read("key"), bytes);
  EXPECT_EQ(cache.read("another key"), std::nullopt);
  cache.write("key", "newer");
  EXPECT_EQ(cache.read("key"), "newer");
  EXPECT_EQ(list().size(), 1u);
}

TEST_F(CacheTest, EmptyValueIsAValue) {
  Cache cache(folder);
  cache.write("key", "");
  EXPECT_EQ(cache.read("key"), "");
}

/// Whichever byte is wrong, and wherever the file ends, the entry is as good as
/// none.
TEST_F(CacheTest, DamageIsAMiss) {
  Cache cache(folder);
  cache.write("key", "value");
  std::string path = list().front();
  std::ifstream in(path, std::ios::binary);
  std::string whole((std::istreambuf_iterator<char>(in)), {});
  auto overwrite = [&](const std::string &bytes) { std::ofstream(path, std::ios::binary) << bytes; };
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] ^= 0x40;
    overwrite(damaged);
    EXPECT_EQ(cache.read("key"), std::nullopt) << "byte " << i;
    overwrite(whole.substr(0, i));
    EXPECT_EQ(cache.read("key"), std::nullopt) << "length " << i;
  }
  cache.write("key", "value");
  EXPECT_EQ(cache.read("key"), "value");
}

/// An entry under the right name for the wrong key, as of two keys with one hash.
TEST_F(CacheTest, ComparesKeys) {
  Cache cache(folder);
  cache.write("a", "first");
  std::string first = list().front();
  cache.write("b", "second");
  for (const std::string &path : list()) {
    if (path != first) {
      ASSERT_FALSE(fs::copy_file(first, path));
    }
  }
  EXPECT_EQ(cache.read("a"), "first");
  EXPECT_EQ(cache.read("b"), std::nullopt);
}

/// What was used last stays.
TEST_F(CacheTest, TrimsTheOldest) {
  Cache cache(folder);
  std::string value(1000, 'x');
  for (const char *key : {"a", "b", "c"}) {
    cache.write(key, value);
    // File times may be coarse: let each be older than the next.
    for (const std::string &path : list()) {
      int file;
      ASSERT_FALSE(fs::openFileForRead(path, file));
      fs::file_status status;
      ASSERT_FALSE(fs::status(file, status));
      ASSERT_FALSE(
          fs::setLastAccessAndModificationTime(file, status.getLastModificationTime() - std::chrono::seconds(10)));
      close(file);
    }
  }
  EXPECT_TRUE(cache.read("a")); // used now
  cache.trim(2500);
  EXPECT_TRUE(cache.read("a"));
  EXPECT_FALSE(cache.read("b"));
  EXPECT_TRUE(cache.read("c"));
}

TEST(Cache, NoFolder) {
  Cache cache("");
  cache.write("key", "value");
  EXPECT_EQ(cache.read("key"), std::nullopt);
  cache.trim(0);
}

TEST(Cache, DefaultFolder) {
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(Cache::getDefaultFolder(), "/somewhere/nnc");
  setenv("XDG_CACHE_HOME", "relative", 1); // which the specification says to ignore
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(Cache::getDefaultFolder(), "/home/me/.cache/nnc");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(Cache::getDefaultFolder(), "/home/me/.cache/nnc");
  unsetenv("HOME");
  EXPECT_EQ(Cache::getDefaultFolder(), "");
}
