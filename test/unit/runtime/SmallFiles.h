//===- SmallFiles.h - Files of weights that are written by hand -----------===//

#ifndef NNC_TEST_UNIT_RUNTIME_SMALLFILES_H
#define NNC_TEST_UNIT_RUNTIME_SMALLFILES_H

#include "FakeNetwork.h"

#include <gtest/gtest.h>

namespace nnc::test {

/// A network of two weights, a[2] and b[1][3], so that files can be written by hand.
inline const nnc_network &getSmallNetwork() {
  static const int64_t aShape[] = {2}, bShape[] = {1, 3};
  static const nnc_storage_dim aStorage[] = {{0, 1, 2}}, bStorage[] = {{1, 1, 3}, {0, 1, 1}};
  static const nnc_weight weights[] = {{"a", aShape, aStorage, 0, 8, 1, 0, 0, 0, 1, 1, NNC_INIT_CONSTANT, 1},
                                       {"b", bShape, bStorage, 64, 12, 2, 0, 0, 0, 2, 2, NNC_INIT_CONSTANT, 1}};
  static const nnc_network network = [] {
    nnc_network result = {};
    result.version = NNC_NETWORK_VERSION;
    result.isa_mask = 1 << NNC_ISA_AVX2;
    result.name = "small";
    result.weights = weights;
    result.weight_count = 2;
    result.weights_size = 128;
    return result;
  }();
  return network;
}

using Floats = std::vector<float>;

/// A model of the small network.
struct Small {
  nnc_status load(const std::string &bytes) {
    // Its own block, so that a read beyond it is seen.
    std::vector<char> block(bytes.begin(), bytes.end());
    block.reserve(1);
    return nnc_model_load_memory(model.get(), block.data(), block.size());
  }
  Floats values() {
    Floats result(5);
    EXPECT_EQ(nnc_weight_read(model.get(), "a", result.data(), 2), NNC_OK);
    EXPECT_EQ(nnc_weight_read(model.get(), "b", result.data() + 2, 3), NNC_OK);
    return result;
  }
  std::string error() { return nnc_model_error(model.get()); }

  Model model = makeModel(getSmallNetwork());
};

inline const Floats startValues = {1, 1, 2, 2, 2};

template <typename T> std::string getBytes(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
}

/// A file with this header and data.
inline std::string makeFile(const std::string &header, const std::string &data) {
  return getBytes(std::vector<uint64_t>{header.size()}) + header + data;
}

inline const std::string goodData = getBytes(Floats{3, 4, 5, 6, 7});
inline const std::string entryA = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
inline const std::string entryB = R"("b":{"dtype":"F32","shape":[1,3],"data_offsets":[8,20]})";
inline const std::string goodHeader = "{" + entryA + "," + entryB + "}";
inline const Floats goodValues = {3, 4, 5, 6, 7};

} // namespace nnc::test

#endif // NNC_TEST_UNIT_RUNTIME_SMALLFILES_H
