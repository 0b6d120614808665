//===- TrainingFileTest.cpp - Training that is interrupted ----------------===//

#include "Files.h"
#include "Training.h"

using namespace nnc::test;

using Floats = std::vector<float>;

/// Some steps of both train blocks, which depend on everything that is kept.
static void train(Trainer &trainer, int begin, int end) {
  for (int i = begin; i < end; ++i) {
    ASSERT_EQ(nnc_training_set_epoch(trainer.context.get(), i / 4), NNC_OK);
    const float x = static_cast<float>(i) / 3;
    ASSERT_EQ(trainer.step({{x, x + 1}, {x * x, -x}}, {{i % 20, 1}, {2, 3}}, i % 3 == 2 ? Whole : Train), NNC_OK);
  }
}

TEST(TrainingFile, GoesOnWithTheSameBits) {
  Folder folder;
  Trainer straight, interrupted, resumed(makeModel(getFakeNetwork(), 7));
  for (Trainer *trainer : {&straight, &interrupted})
    ASSERT_EQ(nnc_training_seed(trainer->context.get(), UINT64_C(0xfedcba9876543210)), NNC_OK);
  train(straight, 0, 14);
  train(interrupted, 0, 7);
  ASSERT_EQ(nnc_training_save(interrupted.context.get(), (folder / "a").c_str()), NNC_OK) << interrupted.error();
  ASSERT_EQ(nnc_training_load(resumed.context.get(), (folder / "a").c_str()), NNC_OK) << resumed.error();
  EXPECT_EQ(nnc_training_step(resumed.context.get()), 7);
  EXPECT_EQ(nnc_training_epoch(resumed.context.get()), 1);
  train(resumed, 7, 14);
  EXPECT_EQ(readWeights(resumed.model), readWeights(straight.model));
  ASSERT_EQ(nnc_training_save(straight.context.get(), (folder / "b").c_str()), NNC_OK);
  ASSERT_EQ(nnc_training_save(resumed.context.get(), (folder / "c").c_str()), NNC_OK);
  EXPECT_EQ(readFile(folder / "b"), readFile(folder / "c")) << "and all that is kept is the same";
}

TEST(TrainingFile, HoldsWeightsForInference) {
  Folder folder;
  Trainer trainer;
  train(trainer, 0, 5);
  ASSERT_EQ(nnc_training_save(trainer.context.get(), (folder / "a").c_str()), NNC_OK);
  Model model = makeModel(getFakeNetwork(), 3);
  ASSERT_EQ(nnc_model_load(model.get(), (folder / "a").c_str()), NNC_OK) << nnc_model_error(model.get());
  EXPECT_EQ(readWeights(model), readWeights(trainer.model));
}

TEST(TrainingFile, OfWeightsAloneIsNotOne) {
  Folder folder;
  Trainer trainer;
  ASSERT_EQ(nnc_model_save(trainer.model.get(), (folder / "a").c_str()), NNC_OK);
  EXPECT_EQ(nnc_training_load(trainer.context.get(), (folder / "a").c_str()), NNC_MISSING_WEIGHT);
  EXPECT_EQ(trainer.error(), (folder / "a") + ": there is no tensor nnc.step: the file holds weights alone");
}

TEST(TrainingFile, DropsGradientsWhenItIsLoaded) {
  Folder folder;
  Trainer trainer;
  ASSERT_EQ(nnc_training_save(trainer.context.get(), (folder / "a").c_str()), NNC_OK);
  ASSERT_EQ(trainer.gradients({{3}}, {{1}}), NNC_OK);
  ASSERT_EQ(nnc_training_load(trainer.context.get(), (folder / "a").c_str()), NNC_OK);
  EXPECT_EQ(trainer.update(), NNC_INVALID_ARGUMENT);
}

TEST(TrainingFile, IsNotWrittenWhileGradientsWait) {
  Folder folder;
  Trainer trainer;
  ASSERT_EQ(trainer.gradients({{3}, {1}}, {{1}, {2}}), NNC_OK);
  EXPECT_EQ(nnc_training_save(trainer.context.get(), (folder / "a").c_str()), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(trainer.error(), "the gradients of 2 examples wait for an update");
  EXPECT_FALSE(fs::exists(folder / "a"));
  ASSERT_EQ(trainer.update(), NNC_OK);
  EXPECT_EQ(nnc_training_save(trainer.context.get(), (folder / "a").c_str()), NNC_OK);
}

/// A file of some training, and another training that it must not touch.
struct Interrupted : testing::Test {
  Interrupted() {
    Trainer saved;
    train(saved, 0, 5);
    EXPECT_EQ(nnc_training_save(saved.context.get(), (folder / "good").c_str()), NNC_OK);
    bytes = readFile(folder / "good");
    train(trainer, 0, 3);
    EXPECT_EQ(nnc_training_save(trainer.context.get(), (folder / "before").c_str()), NNC_OK);
  }

  nnc_status load(const std::string &file) {
    writeFile(folder / "a", file);
    return nnc_training_load(trainer.context.get(), (folder / "a").c_str());
  }

  /// Loads a file in whose header one text was replaced by one of the same length.
  nnc_status loadWith(const std::string &from, const std::string &to) {
    std::string file = bytes;
    file.replace(file.find(from), from.size(), to);
    return load(file);
  }

  void expectUntouched() {
    ASSERT_EQ(nnc_training_save(trainer.context.get(), (folder / "after").c_str()), NNC_OK);
    EXPECT_EQ(readFile(folder / "after"), readFile(folder / "before"));
  }

  std::string error() { return trainer.error().substr((folder / "a: ").size()); }

  Folder folder;
  Trainer trainer;
  std::string bytes;
};

// In the header at any byte; in the data at some.
TEST_F(Interrupted, RefusesFilesThatAreCut) {
  uint64_t header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (size_t size = 0; size < bytes.size(); size += size < header + 128 ? 1 : 50021)
    ASSERT_EQ(load(bytes.substr(0, size)), NNC_BAD_FILE) << size;
  ASSERT_EQ(load(bytes.substr(0, bytes.size() - 1)), NNC_BAD_FILE);
  ASSERT_EQ(load(bytes + "x"), NNC_BAD_FILE);
  expectUntouched();
  EXPECT_EQ(load(bytes), NNC_OK) << error();
}

TEST_F(Interrupted, RefusesFilesOfOtherTraining) {
  EXPECT_EQ(loadWith("nnc.slot1.start", "nnc.slot3.start"), NNC_NOT_FOUND);
  EXPECT_EQ(error(), "network fake has no tensor nnc.slot3.start");
  EXPECT_EQ(loadWith("nnc.slot1.start", "nnc.slot1.mean\\"), NNC_BAD_FILE);
  EXPECT_EQ(loadWith("nnc.slot0.tall\":{\"dtype\":\"F32\",\"shape\":[8,4]",
                     "nnc.slot0.tall\":{\"dtype\":\"F32\",\"shape\":[4,8]"),
            NNC_SHAPE_MISMATCH);
  EXPECT_EQ(error(), "tensor nnc.slot0.tall is [4,8], not [8,4]");
  EXPECT_EQ(loadWith("nnc.slot0.tall\":{\"dtype\":\"F32\"", "nnc.slot0.tall\":{\"dtype\":\"I32\""), NNC_BAD_FILE);
  EXPECT_EQ(error(), "tensor nnc.slot0.tall is of type I32, not of F64, F32, F16 or BF16");
  EXPECT_EQ(loadWith("nnc.step\":{\"dtype\":\"I64\"", "nnc.step\":{\"dtype\":\"F64\""), NNC_BAD_FILE);
  EXPECT_EQ(error(), "tensor nnc.step is of type F64, not I64");
  EXPECT_EQ(loadWith("nnc.step\":{\"dtype\":\"I64\",\"shape\":[2]", "nnc.step\":{\"dtype\":\"I64\",\"shape\":[ ]"),
            NNC_BAD_FILE);
  EXPECT_EQ(loadWith("nnc.epoch", "nnc.other"), NNC_NOT_FOUND);
  expectUntouched();
}

// The steps are the first of the data.
TEST_F(Interrupted, RefusesNegativeCounts) {
  uint64_t header;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes[8 + header + 7] = '\x80';
  EXPECT_EQ(load(bytes), NNC_BAD_FILE);
  EXPECT_EQ(error(), "tensor nnc.step holds -9223372036854775804, which is negative");
  expectUntouched();
}

TEST_F(Interrupted, SaysWhatTheSystemRefuses) {
  EXPECT_EQ(nnc_training_load(trainer.context.get(), (folder / "none").c_str()), NNC_NOT_FOUND);
  EXPECT_EQ(trainer.error(), (folder / "none") + ": No such file or directory");
  EXPECT_EQ(nnc_training_load(trainer.context.get(), folder.path.c_str()), NNC_IO_ERROR);
  EXPECT_EQ(nnc_training_load(trainer.context.get(), nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_save(trainer.context.get(), nullptr), NNC_INVALID_ARGUMENT);
  EXPECT_EQ(nnc_training_save(trainer.context.get(), (folder / "none/at/all").c_str()), NNC_NOT_FOUND);
  expectUntouched();
}

// However much of the new file the disk takes, the old one stays, and nothing
// beside it.
TEST_F(Interrupted, KeepsTheOldFileWhenTheDiskIsFull) {
  const auto files = [&] { return std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()); };
  const auto before = files();
  for (size_t room = 0; room < bytes.size(); room += room < 64 ? 1 : 150001) {
    SmallDisk disk(room);
    ASSERT_EQ(nnc_training_save(trainer.context.get(), (folder / "good").c_str()), NNC_IO_ERROR) << room;
    EXPECT_EQ(trainer.error(), (folder / "good") + ": File too large");
  }
  EXPECT_EQ(readFile(folder / "good"), bytes);
  EXPECT_EQ(files(), before);
}
