//===- Plot.h - A history as a picture ------------------------------------===//

#ifndef NNC_TOOLS_TRAINER_PLOT_H
#define NNC_TOOLS_TRAINER_PLOT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/JSON.h"

#include <string>
#include <vector>

namespace nnc::trainer {

struct Point {
  double x, y;
};

/// A line of a chart.
struct Series {
  std::string name;
  std::vector<Point> points;
  const char *colour = "#0072b2";
};

struct Chart {
  std::string title;
  std::vector<Series> series;
};

/// The charts of a history, over epochs: loss in training and on the held-out
/// set, and accuracy where there is one.
std::vector<Chart> getCharts(llvm::ArrayRef<llvm::json::Object> events);

/// Draws charts below one another, as SVG. Points that are not finite are left out.
std::string drawCharts(llvm::ArrayRef<Chart> charts, llvm::StringRef xTitle);

/// Places for about `count` ticks in [low, high]: multiples of 1, 2 or 5 times a
/// power of ten.
std::vector<double> placeTicks(double low, double high, int count);

} // namespace nnc::trainer

#endif // NNC_TOOLS_TRAINER_PLOT_H
