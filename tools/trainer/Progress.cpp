//===- Progress.cpp - Where training stands, for who watches --------------===//

#include "Progress.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace llvm;
using namespace nnc::trainer;

static constexpr int BarWidth = 24;
static constexpr double RedrawSeconds = 0.1;

double nnc::trainer::getSeconds() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

std::string nnc::trainer::formatDuration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9)
    return "-";
  auto whole = static_cast<int64_t>(seconds + 0.5);
  int64_t minutes = whole / 60, hours = minutes / 60;
  std::string text;
  raw_string_ostream os(text);
  if (hours >= 24)
    os << hours / 24 << " d " << hours % 24 << " h";
  else if (hours > 0)
    os << format("%lld:%02lld:%02lld", (long long)hours, (long long)minutes % 60, (long long)whole % 60);
  else
    os << format("%lld:%02lld", (long long)minutes, (long long)whole % 60);
  return text;
}

std::string nnc::trainer::formatStanding(const Standing &standing, int width) {
  double share = static_cast<double>(standing.done) / static_cast<double>(std::max<int64_t>(1, standing.examples));
  int filled = std::clamp(static_cast<int>(share * BarWidth), 0, BarWidth);
  double left = static_cast<double>(standing.examples - standing.done) / standing.examplesPerSecond;
  double leftInAll = left + static_cast<double>(standing.examples) *
                                static_cast<double>(standing.epochs - standing.epoch) / standing.examplesPerSecond;
  std::string text;
  raw_string_ostream os(text);
  os << "epoch " << standing.epoch << "/" << standing.epochs << " [" << std::string(filled, '#')
     << std::string(BarWidth - filled, '.') << "]" << format(" %3d %%", static_cast<int>(share * 100))
     << format("  loss %.4f  rate %.3g  %.0f/s", standing.loss, standing.rate, standing.examplesPerSecond) << "  left "
     << formatDuration(left) << ", in all " << formatDuration(leftInAll);
  if (width > 0 && text.size() > static_cast<size_t>(width))
    text.resize(width);
  return text;
}

void Progress::clear() {
  if (!shown)
    return;
  os << "\r\x1b[K";
  os.flush();
  shown = false;
}

void Progress::show(const Standing &standing) {
  double time = getSeconds();
  if (!terminal || (shown && time - last < RedrawSeconds))
    return;
  last = time;
  shown = true;
  // The last column stays free: some terminals would go to the next line.
  os << "\r" << formatStanding(standing, width - 1) << "\x1b[K";
  os.flush();
}

void Progress::print(const Twine &line) {
  clear();
  os << line << "\n";
  os.flush();
}
