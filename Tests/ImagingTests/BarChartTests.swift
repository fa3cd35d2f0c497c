import Testing

@testable import Imaging

@Suite("Bars")
struct BarChartTests {
  private func count(_ image: Image, _ color: Color) -> Int {
    (0..<image.width * image.height).count {
      image.pixels[3 * $0..<3 * $0 + 3].elementsEqual([color.red, color.green, color.blue])
    }
  }

  @Test("a bar is as long as its number, to either side of zero")
  func lengths() {
    var chart = BarChart()
    chart.bars = [("a", 4), ("b", 2), ("c", -1)]
    let image = chart.image(width: 500)
    let (above, below) = (
      count(image, LineChart.palette[0]), count(image, LineChart.palette[1])
    )
    // 500 pixels for five units, twenty rows a bar; edges are mixtures.
    #expect(abs(Double(above) / (600 * 20) - 1) < 0.02)
    #expect(abs(Double(below) / (100 * 20) - 1) < 0.05)
  }

  @Test("the chart is as wide as its words")
  func words() {
    var chart = BarChart()
    chart.bars = [("a", 1)]
    let narrow = chart.image()
    chart.title = String(repeating: "a title of many words ", count: 8)
    let ruler = Canvas(Size(width: 1, height: 1))
    #expect(Double(chart.image().width) >= 14 + ruler.width(of: chart.title, size: 14))
    chart.title = ""
    chart.bars = [(String(repeating: "long name ", count: 5), 1)]
    #expect(
      Double(chart.image().width)
        >= Double(narrow.width) + ruler.width(of: chart.bars[0].name, size: 13) - 20)
    chart.bars = []
    #expect(chart.image().width > 0)
    chart.bars = [("nothing", 0), ("no number", .nan)]
    #expect(chart.image().height > 60)
  }

  @Test("points of a heat map have rings in their colour")
  func points() {
    var map = HeatMap([Float](repeating: 0, count: 100), width: 10, height: 10)
    // The lines are thin, so that their colour is mixed with what is below.
    func rings(_ image: Image) -> Int {
      (0..<image.width * image.height).count {
        let (red, blue) = (Int(image.pixels[3 * $0]), Int(image.pixels[3 * $0 + 2]))
        return blue - red > 60
      }
    }
    let plain = rings(map.image())
    map.points = [(2, 2), (7, 7)]
    #expect(rings(map.image()) > plain + 20)
  }
}
