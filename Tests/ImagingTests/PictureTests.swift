import Testing

@testable import Imaging

@Suite("Overlays, legends and panels")
struct PictureTests {
  private let palette = [Color(255, 0, 0), Color(0, 200, 100)]

  private func pixel(_ image: Image, _ x: Int, _ y: Int) -> [UInt8] {
    Array(image.pixels[(y * image.width + x) * 3..<(y * image.width + x) * 3 + 3])
  }

  @Test("opacity goes from the picture to the colours")
  func opacity() {
    let image = Image(width: 3, height: 1, pixels: [10, 20, 30, 40, 50, 60, 70, 80, 90])
    let classes: [UInt8] = [0, 1, 255]
    func overlay(_ opacity: Double) -> [UInt8] {
      image.overlaid(classes: classes, palette: palette, opacity: opacity).pixels
    }
    #expect(overlay(0) == image.pixels)
    #expect(overlay(1) == [255, 0, 0, 0, 200, 100, 70, 80, 90])
    #expect(overlay(0.5) == [132, 10, 15, 20, 125, 80, 70, 80, 90])
    #expect(overlay(0.25) == [71, 15, 22, 30, 87, 70, 70, 80, 90])
    #expect(overlay(-1) == overlay(0) && overlay(7) == overlay(1))
    let grey = Image(width: 1, height: 1, channels: 1, pixels: [100])
    #expect(grey.overlaid(classes: [0], palette: palette, opacity: 0).pixels == [100, 100, 100])
  }

  @Test("classes in their colours, unknown ones in black")
  func classes() {
    let image = Image(classes: [1, 0, 9], size: Size(width: 3, height: 1), palette: palette)
    #expect(image.pixels == [0, 200, 100, 255, 0, 0, 0, 0, 0])
  }

  @Test("a legend shows each colour with its name")
  func legend() {
    func legend(_ names: [String]) -> Image {
      Image.legend(zip(names, palette).map { LegendEntry($0, $1) }, width: 200)
    }
    let two = legend(["road", "car"])
    #expect(two.width == 200)
    for color in palette {
      let wanted = [color.red, color.green, color.blue]
      let count = (0..<two.width * two.height).count {
        Array(two.pixels[3 * $0..<3 * $0 + 3]) == wanted
      }
      #expect(count == 144, "a field of 12×12")
    }
    // The names are written, so that other names look otherwise.
    #expect(two != legend(["road", "bus"]))
    #expect(pixel(two, 15, 13) == [255, 0, 0])
    #expect(Image.legend([LegendEntry("a name that is wider", palette[0])], width: 20).width == 20)
  }

  @Test(
    "with a legend the picture itself is not touched, however wide it is",
    arguments: [3, 300, 40_000])
  func below(width: Int) {
    let image = noise(width, 2)
    let whole = image.withLegend([LegendEntry("road", palette[0])])
    #expect(whole.width == max(width, 160) && whole.height > 20)
    #expect(whole.cropped(x: 0, y: 0, size: image.size) == image)
    #expect(pixel(whole, 14, 2 + 12) == [255, 0, 0])
    #expect(image.withLegend([]) == image)
  }

  @Test("a panel holds its pictures side by side")
  func panel() {
    let (first, second) = (noise(20, 10), noise(16, 12, seed: 2))
    let panel = Image.panel(
      [("image", first), ("truth", second)], legend: [LegendEntry("road", palette[0])])
    func holds(_ image: Image, x: Int, y: Int) -> Bool {
      panel.cropped(x: x, y: y, size: image.size) == image
    }
    #expect(holds(first, x: 8, y: 22))
    #expect(holds(second, x: 8 + 28, y: 22))
    let stacked = Image.panel([("a", first), ("b", second)], columns: 1)
    #expect(stacked.cropped(x: 8, y: 22 + 42, size: second.size) == second)
    #expect(Image.panel([]).width > 0)
  }

  @Test("a class that is clear stays as it is")
  func clear() {
    let image = Image(width: 2, height: 1, pixels: [10, 20, 30, 40, 50, 60])
    let overlay = image.overlaid(classes: [0, 1], palette: palette, opacity: 1, clear: 0)
    #expect(overlay.pixels == [10, 20, 30, 0, 200, 100])
  }

  @Test(
    "text is never wider than it may be, and none of it is lost",
    arguments: [20.0, 60, 150, 1000])
  func blocks(width: Double) {
    let ruler = Canvas(Size(width: 1, height: 1))
    for text in [
      "", "truth", "prediction of Image_01L, mean IoU 71.23 %", "Aaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
      let block = TextBlock(text, width: width, size: 13)
      #expect(block.lines.allSatisfy { ruler.width(of: $0, size: block.size) <= width + 0.01 })
      let kept = block.lines.joined().filter { $0 != " " }
      #expect(kept == text.filter { $0 != " " } && block.size <= 13)
    }
  }

  @Test("captions and legends grow with the pictures")
  func growing() {
    func heights(_ width: Int) -> (caption: Int, legend: Int) {
      let picture = Image(
        width: width, height: 10, pixels: [UInt8](repeating: 7, count: width * 30))
      let bare = Image.panel([("truth", picture)])
      let whole = Image.panel([("truth", picture)], legend: [LegendEntry("road", palette[0])])
      return (bare.height - 18, whole.height - bare.height)
    }
    let (small, large) = (heights(400), heights(2080))
    #expect(small.caption == 22 && small.legend == 28)
    #expect(large.caption >= 4 * 17 && large.legend >= 4 * 20)
    // A long caption takes lines instead of losing its end.
    let narrow = Image.panel([(String(repeating: "word ", count: 20), noise(100, 10))])
    #expect(narrow.height > 22 + 4 * 17)
    let name = "a class whose name is much wider than the picture is"
    #expect(noise(30, 10).withLegend([LegendEntry(name, palette[0])]).width > 250)
  }

  @Test("lines and fields are where they were drawn")
  func canvas() {
    let canvas = Canvas(Size(width: 10, height: 6), background: Color(1, 2, 3))
    canvas.fill(x: 2, y: 1, width: 3, height: 2, Color(200, 100, 50))
    canvas.draw(Image(width: 1, height: 1, pixels: [7, 8, 9]), x: 9, y: 5)
    canvas.draw(noise(4, 4), x: 20, y: -9)
    let image = canvas.image
    for (x, y) in [(0, 0), (5, 1), (2, 3)] { #expect(pixel(image, x, y) == [1, 2, 3]) }
    for (x, y) in [(2, 1), (4, 2)] { #expect(pixel(image, x, y) == [200, 100, 50]) }
    #expect(pixel(image, 9, 5) == [7, 8, 9])
  }
}
