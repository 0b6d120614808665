//===- Plot.cpp - A history as a picture ----------------------------------===//

#include "Plot.h"
#include "History.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace nnc::trainer;

//===----------------------------------------------------------------------===//
// What is drawn
//===----------------------------------------------------------------------===//

/// The values of a field in all events of a type. An event stands where it
/// happened: at `at`, in epochs, or at the end of its epoch.
static Series getSeries(ArrayRef<json::Object> events, StringRef event, StringRef field, StringRef name,
                        const char *colour) {
  Series series{name.str(), {}, colour};
  for (const json::Object &own : events) {
    std::optional<double> y = own.getNumber(field);
    std::optional<double> x = own.getNumber("at");
    if (!x)
      x = own.getNumber("epoch");
    if (getEvent(own) == event && x && y)
      series.points.push_back({*x, *y});
  }
  return series;
}

/// Colours that the colour-blind can tell apart (M. Okabe & K. Ito, 2008).
static constexpr const char *Blue = "#0072b2", *PaleBlue = "#9ad0f0", *Orange = "#d55e00", *Green = "#009e73";

std::vector<Chart> nnc::trainer::getCharts(ArrayRef<json::Object> events) {
  auto get = [&](StringRef event, StringRef field, StringRef name, const char *colour) {
    return getSeries(events, event, field, name, colour);
  };
  std::vector<Chart> charts = {
      {"loss",
       {get("loss", "loss", "training, as it went", PaleBlue), get("epoch", "loss", "training", Blue),
        get("epoch", "held_out_cross_entropy", "held out, cross entropy", Orange),
        get("epoch", "held_out_mean_squared_error", "held out, mean squared error", Orange)}},
      {"accuracy",
       {get("epoch", "held_out_accuracy", "held out", Orange),
        get("epoch", "held_out_exact", "held out, whole examples", Green)}}};
  for (Chart &chart : charts)
    erase_if(chart.series, [](const Series &series) { return series.points.empty(); });
  erase_if(charts, [](const Chart &chart) { return chart.series.empty(); });
  return charts;
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

std::vector<double> nnc::trainer::placeTicks(double low, double high, int count) {
  double rough = (high - low) / count;
  if (!(rough > 0) || !std::isfinite(rough))
    return {low};
  double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * (rough > 5 * power ? 10 : rough > 2 * power ? 5 : rough > power ? 2 : 1);
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    ticks.push_back(i * step + 0.0); // never minus zero
  return ticks;
}

namespace {

struct Range {
  double low = INFINITY, high = -INFINITY;

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// A range that can be divided by its width.
  Range getWidened() const {
    if (low < high)
      return *this;
    if (low == high)
      return {low - 0.5, high + 0.5};
    return {0, 1};
  }
};

/// Where charts and their parts lie, in pixels.
constexpr double Width = 760, ChartHeight = 300, Left = 64, Right = 24, Top = 48, Bottom = 44, LetterWidth = 6.4;

class ChartDrawer {
public:
  ChartDrawer(raw_ostream &os, const Chart &chart, double top, StringRef xTitle)
      : os(os), chart(chart), top(top), xTitle(xTitle) {
    for (const Series &series : chart.series)
      for (const Point &point : series.points)
        if (std::isfinite(point.x) && std::isfinite(point.y)) {
          x.include(point.x);
          y.include(point.y);
        }
    x = x.getWidened();
    y.include(0);
    y = y.getWidened();
    // The highest tick is not below the highest point.
    std::vector<double> ticks = placeTicks(y.low, y.high, 5);
    if (ticks.size() > 1 && ticks.back() < y.high)
      y.include(2 * ticks.back() - ticks[ticks.size() - 2]);
  }

  void draw() {
    drawAxes();
    for (const Series &series : chart.series)
      drawSeries(series);
  }

private:
  double getX(double value) const { return Left + (value - x.low) / (x.high - x.low) * (Width - Left - Right); }
  double getY(double value) const {
    return top + ChartHeight - Bottom - (value - y.low) / (y.high - y.low) * (ChartHeight - Top - Bottom);
  }

  void drawText(double atX, double atY, StringRef anchor, StringRef text, StringRef more = "") {
    os << format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"", atX, atY) << anchor << "\"" << more << ">";
    printHTMLEscaped(text, os);
    os << "</text>\n";
  }

  void drawLine(double fromX, double fromY, double toX, double toY, StringRef colour) {
    os << format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"", fromX, fromY, toX, toY) << colour
       << "\"/>\n";
  }

  static std::string printTick(double value) {
    std::string text;
    raw_string_ostream(text) << format("%.4g", value);
    return text;
  }

  void drawAxes() {
    double bottom = top + ChartHeight - Bottom;
    for (double tick : placeTicks(y.low, y.high, 5)) {
      drawLine(Left, getY(tick), Width - Right, getY(tick), "#e4e4e4");
      drawText(Left - 8, getY(tick) + 4, "end", printTick(tick));
    }
    for (double tick : placeTicks(x.low, x.high, 10)) {
      drawLine(getX(tick), bottom, getX(tick), bottom + 5, "#555");
      drawText(getX(tick), bottom + 19, "middle", printTick(tick));
    }
    drawLine(Left, bottom, Width - Right, bottom, "#555");
    drawText(Left, top + 20, "start", chart.title, " font-weight=\"bold\"");
    drawText(Width - Right, bottom + 36, "end", xTitle);
  }

  void drawSeries(const Series &series) {
    const char *colour = series.colour;
    std::string points;
    raw_string_ostream list(points);
    size_t count = 0;
    for (const Point &point : series.points)
      if (std::isfinite(point.x) && std::isfinite(point.y)) {
        list << format("%.1f,%.1f ", getX(point.x), getY(point.y));
        ++count;
      }
    os << "<polyline fill=\"none\" stroke-width=\"1.8\" stroke-linejoin=\"round\" stroke=\"" << colour << "\" points=\""
       << StringRef(points).rtrim() << "\"/>\n";
    if (count > 0 && count <= 60)
      for (const Point &point : series.points)
        if (std::isfinite(point.x) && std::isfinite(point.y))
          os << format("<circle r=\"2.4\" cx=\"%.1f\" cy=\"%.1f\" fill=\"", getX(point.x), getY(point.y)) << colour
             << "\"/>\n";
    drawLegend(series.name, colour);
  }

  /// Names stand beside the title, one after the other.
  void drawLegend(StringRef name, StringRef colour) {
    os << format("<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"4\" fill=\"", legend, top + 14) << colour
       << "\"/>\n";
    drawText(legend + 20, top + 20, "start", name);
    legend += 44 + LetterWidth * static_cast<double>(name.size());
  }

  raw_ostream &os;
  const Chart &chart;
  double top;
  StringRef xTitle;
  Range x, y;
  double legend = Left + 96; ///< where the next name goes
};

} // namespace

std::string nnc::trainer::drawCharts(ArrayRef<Chart> charts, StringRef xTitle) {
  std::string svg;
  raw_string_ostream os(svg);
  double height = ChartHeight * static_cast<double>(std::max<size_t>(1, charts.size()));
  os << format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" ",
               Width, height, Width, height)
     << "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
     << "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
  for (auto [index, chart] : enumerate(charts))
    ChartDrawer(os, chart, ChartHeight * static_cast<double>(index), xTitle).draw();
  os << "</svg>\n";
  return svg;
}
