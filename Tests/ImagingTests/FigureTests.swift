import Testing

@testable import Imaging

@Suite("Figures")
struct FigureTests {
  @Test("colour maps rise evenly in lightness", arguments: ColorMap.allCases)
  func maps(map: ColorMap) {
    func lightness(_ level: Double) -> Double {
      let color = map.color(level)
      return 0.2126 * Double(color.red) + 0.7152 * Double(color.green) + 0.0722 * Double(color.blue)
    }
    let steps = (0...20).map { lightness(Double($0) / 20) }
    for (a, b) in zip(steps, steps.dropFirst()) { #expect(b > a) }
    #expect(map.color(-1) == map.color(0) && map.color(.nan) == map.color(0))
    #expect(map.color(2) == map.color(1))
  }

  @Test("the ends of viridis are those that are published")
  func viridis() {
    #expect(ColorMap.viridis.color(0) == Color(0x44, 0x01, 0x54))
    #expect(ColorMap.viridis.color(1) == Color(0xfd, 0xe7, 0x24))
  }

  @Test("a plane shows its numbers, also where they are not finite or all equal")
  func plane() {
    var map = HeatMap([0, 1, .nan, 0.5], width: 2, height: 2)
    map.colors = .viridis
    let plane = map.plane(Size(width: 4, height: 4))
    func color(_ x: Int, _ y: Int) -> Color {
      let at = 3 * (y * 4 + x)
      return Color(plane.pixels[at], plane.pixels[at + 1], plane.pixels[at + 2])
    }
    #expect(color(0, 0) == ColorMap.viridis.color(0) && color(3, 1) == ColorMap.viridis.color(1))
    #expect(color(0, 3) == ColorMap.viridis.color(0))
    #expect(HeatMap([3, 3], width: 2, height: 1).image(side: 50).width > 50)
  }

  @Test("a photograph shines through")
  func photograph() {
    var map = HeatMap([0], width: 1, height: 1)
    map.photograph = Image(width: 1, height: 1, pixels: [200, 100, 0])
    map.opacity = 0
    #expect(map.plane(Size(width: 1, height: 1)).pixels == [200, 100, 0])
  }

  @Test("ticks are round and lie inside")
  func ticks() {
    #expect(
      Ticks.between(0, 100, about: 5).allSatisfy { $0.truncatingRemainder(dividingBy: 10) == 0 })
    #expect(Ticks.between(0, 769, about: 6).last.map { $0 <= 769 } == true)
    #expect(Ticks.between(1, 1, about: 5) == [1])
    #expect(Ticks.niceBelow(0.7) == 0.5 && Ticks.niceBelow(240) == 200)
  }

  @Test("a long title takes lines instead of being cut")
  func titles() {
    var map = HeatMap([0, 1], width: 2, height: 1)
    map.title = "short"
    let plain = map.image(side: 60)
    map.title = String(repeating: "a title that does not end ", count: 4)
    let long = map.image(side: 60)
    #expect(long.width == plain.width && long.height > plain.height + 30)
    // Nothing is written at the right edge.
    for image in [plain, long] {
      for y in 0..<image.height { #expect(image.pixels[3 * ((y + 1) * image.width - 1)] == 255) }
    }
  }

  @Test("charts of nothing, of one point and of numbers that are none are drawn")
  func charts() {
    var chart = LineChart()
    #expect(chart.image().size == Size(width: 720, height: 440))
    chart.curves = [("one", [.init(1, 2, deviation: 1)]), ("none", [.init(.nan, .infinity)])]
    chart.marks = [("here", 1)]
    let blank = LineChart().image()
    #expect(chart.image() != blank)
  }
}
