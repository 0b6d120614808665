//===- PlotTest.cpp - A history as a picture ------------------------------===//

#include "tools/trainer/Plot.h"
#include "Files.h"
#include "tools/trainer/History.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nnc::test;
using namespace nnc::trainer;
using llvm::json::Object;

static size_t count(const std::string &text, const std::string &what) {
  size_t result = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size())
    ++result;
  return result;
}

TEST(Plot, TicksAreRound) {
  EXPECT_EQ(placeTicks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(placeTicks(0, 1, 5).size(), 6u);
  EXPECT_EQ(placeTicks(-3, 4, 4), (std::vector<double>{-2, 0, 2, 4}));
  EXPECT_EQ(placeTicks(2, 2, 5), std::vector<double>{2});
  EXPECT_EQ(placeTicks(0, INFINITY, 5), std::vector<double>{0});
}

TEST(Plot, ShowsLossAndAccuracyOfAHistory) {
  std::vector<Object> events;
  events.push_back(Object{{"event", "start"}});
  events.push_back(Object{{"event", "loss"}, {"at", 0.5}, {"loss", 2.0}});
  for (int64_t epoch : {1, 2})
    events.push_back(Object{{"event", "epoch"},
                            {"epoch", epoch},
                            {"loss", 1.0 / static_cast<double>(epoch)},
                            {"held_out_cross_entropy", 1.5},
                            {"held_out_accuracy", 0.25}});
  std::vector<Chart> charts = getCharts(events);
  ASSERT_EQ(charts.size(), 2u);
  ASSERT_EQ(charts[0].series.size(), 3u);
  EXPECT_EQ(charts[0].series[0].points[0].x, 0.5);
  EXPECT_EQ(charts[0].series[1].points[1].y, 0.5);
  EXPECT_EQ(charts[1].series.size(), 1u) << "no share of whole examples";
  std::string svg = drawCharts(charts, "epochs");
  EXPECT_EQ(count(svg, "<polyline"), 4u);
  EXPECT_NE(svg.find(">held out, cross entropy<"), std::string::npos);
}

// The lowest point lies on the axis, the highest as far up as the charts goes.
TEST(Plot, PlacesPoints) {
  std::string svg = drawCharts({{"loss", {{"a", {{0, 0}, {1, 2}}}}}}, "x");
  EXPECT_NE(svg.find("points=\"64.0,256.0 736.0,48.0\""), std::string::npos) << svg;
}

TEST(Plot, LeavesOutWhatIsNotFinite) {
  std::string svg = drawCharts({{"loss", {{"a", {{0, NAN}, {1, INFINITY}, {2, 1}}}}}}, "x");
  EXPECT_EQ(count(svg, "nan"), 0u);
  EXPECT_EQ(count(svg, "inf"), 0u);
  EXPECT_EQ(count(svg, "<circle"), 1u);
}

TEST(Plot, EscapesNames) {
  std::string svg = drawCharts({{"a<b", {{"c&d", {{0, 1}}}}}}, "x");
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_NE(svg.find("c&amp;d"), std::string::npos);
  EXPECT_NE(drawCharts({}, "x").find("</svg>"), std::string::npos);
}
