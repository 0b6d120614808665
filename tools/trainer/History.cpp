//===- History.cpp - What happened in training, as lines of JSON ----------===//

#include "History.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

using namespace llvm;
using namespace nnc::trainer;

StringRef nnc::trainer::getEvent(const json::Object &event) { return event.getString("event").value_or(""); }

static Error makeError(const Twine &path, int number = errno) {
  return createStringError(std::error_code(number, std::generic_category()), path + ": " + sys::StrError(number));
}

/// The whole lines of a history, and how many bytes they and those before them
/// are.
static std::vector<std::pair<json::Object, int64_t>> readLines(StringRef text) {
  std::vector<std::pair<json::Object, int64_t>> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != StringRef::npos; begin = end + 1) {
    Expected<json::Value> value = json::parse(text.slice(begin, end));
    if (!value) {
      consumeError(value.takeError());
      break;
    }
    json::Object *object = value->getAsObject();
    if (!object)
      break;
    lines.emplace_back(std::move(*object), end + 1);
  }
  return lines;
}

static Expected<std::unique_ptr<MemoryBuffer>> readFile(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false, /*IsVolatile=*/true);
  if (!buffer)
    return createStringError(buffer.getError(), path + ": " + buffer.getError().message());
  return std::move(*buffer);
}

Expected<std::vector<json::Object>> nnc::trainer::readHistory(StringRef path) {
  Expected<std::unique_ptr<MemoryBuffer>> buffer = readFile(path);
  if (!buffer)
    return buffer.takeError();
  std::vector<json::Object> events;
  for (auto &[event, end] : readLines((*buffer)->getBuffer()))
    events.push_back(std::move(event));
  return events;
}

Expected<History> History::create(StringRef path) {
  int file = ::open(path.str().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0)
    return makeError(path);
  return History(path, file);
}

Expected<History> History::resume(StringRef path, int64_t epoch, int64_t step) {
  Expected<std::unique_ptr<MemoryBuffer>> buffer = readFile(path);
  if (!buffer)
    return buffer.takeError();
  std::vector<std::pair<json::Object, int64_t>> lines = readLines((*buffer)->getBuffer());
  auto isSought = [&](const json::Object &event) {
    return getEvent(event) == "checkpoint" && event.getInteger("epoch") == epoch && event.getInteger("step") == step;
  };
  while (!lines.empty() && !isSought(lines.back().first))
    lines.pop_back();
  if (lines.empty())
    return createStringError(path + ": has no checkpoint of step " + Twine(step));
  int file = ::open(path.str().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return makeError(path);
  History history(path, file);
  history.size = lines.back().second;
  for (auto &[event, end] : lines)
    history.events.push_back(std::move(event));
  if (ftruncate(file, history.size) != 0 || lseek(file, history.size, SEEK_SET) < 0)
    return makeError(path);
  return history;
}

History::History(History &&other)
    : path(std::move(other.path)), file(std::exchange(other.file, -1)), size(other.size),
      pending(std::move(other.pending)), events(std::move(other.events)) {}

History::~History() {
  if (file >= 0)
    close(file);
}

Error History::writePending() {
  size_t done = 0;
  while (done < pending.size()) {
    ssize_t count = ::write(file, pending.data() + done, pending.size() - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      int number = count < 0 ? errno : EIO;
      // Takes back the part that was written; when even that fails, what is torn is
      // the last line, which no reader takes.
      if (ftruncate(file, size) == 0)
        lseek(file, size, SEEK_SET);
      return makeError(path, number);
    }
    done += count;
  }
  size += done;
  pending.clear();
  return Error::success();
}

Error History::append(json::Object event) {
  raw_string_ostream(pending) << json::Value(json::Object(event)) << '\n';
  events.push_back(std::move(event));
  return writePending();
}

Error History::flush() {
  if (Error error = writePending())
    return error;
  return fsync(file) == 0 ? Error::success() : makeError(path);
}
