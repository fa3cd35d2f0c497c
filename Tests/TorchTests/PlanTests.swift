import Foundation
import TestSupport
import Testing

@testable import Torch

@Suite("Measured plans", .serialized)
struct PlanTests {
  /// A plan for it, another than the rules'.
  private func plan(_ size: ConvolutionCase) -> ConvolutionPlan {
    ConvolutionPlan(
      threads: Engine.threads, rate: size.rate, images: size.images, height: size.height,
      width: size.width, inputs: size.inputs, outputs: size.outputs, normalizes: false,
      order: .tiles, largestTile: 4, together: 12, milliseconds: 1, ruleMilliseconds: 2)
  }

  /// The convolution by packed kernels, an image for it, and the direct sum in double precision.
  private func example(
    _ size: ConvolutionCase
  ) -> (convolution: (Tensor) -> Tensor, image: Tensor, sum: Tensor) {
    let (weight, bias) = (size.weight, noise([size.outputs]))
    let image = size.image.contiguous(.channelsLast)
    let sum = withoutGradients { size.sum(image.to(.float64), weight, bias) }
    return (size.packed(weight, bias), image, sum)
  }

  init() {
    // What the machine's own file says comes first, not in between.
    Plans.loaded
  }

  @Test("every way gives the direct sum", arguments: ConvolutionCase.planned)
  func ways(_ size: ConvolutionCase) throws {
    defer { try? Plans.use([]) }
    let (convolution, image, sum) = example(size)
    let ways = plan(size).ways
    #expect(ways.count == (size.inputs <= 256 ? 6 : 0) + (size.outputs <= 256 ? 6 : 4))
    for way in ways {
      try Plans.use([way])
      let found = withoutGradients { convolution(image) }
      #expect(Plans.lastOrder == way.order)
      #expect(error(found, sum) < 2e-5, "\(way)")
    }
  }

  @Test("a file chooses the way that it names, for its layer alone")
  func choice() throws {
    defer { try? Plans.use([]) }
    let folder = try TemporaryFolder()
    let layer = plan(.manyTiles)
    let (convolution, image, _) = example(.manyTiles)
    func run(_ rows: Int = 61) -> [Float] {
      withoutGradients { convolution(image.sliced(2, 0, rows)).floats }
    }
    try Plans.use([])
    let byRule = run()
    #expect(Plans.lastOrder == nil)
    // Tiles of four round otherwise than the rules' of six.
    var plan = layer
    (plan.order, plan.largestTile, plan.together) = (.panels, 4, 4096)
    let file = folder.path + "/plans.json"
    try Plans.write([plan], to: file)
    #expect(try Plans.read(file) == [plan])
    Plans.load(file)
    #expect(run() != byRule)
    #expect(Plans.lastOrder == .panels)
    // Another height is another layer.
    _ = run(50)
    #expect(Plans.lastOrder == nil)
    // The rules' own way by its name.
    (plan.order, plan.largestTile, plan.together) = (.tiles, 6, 12)
    try Plans.write([plan], to: file)
    Plans.load(file)
    #expect(run() == byRule)
    #expect(Plans.lastOrder == .tiles)
  }

  @Test("files that are not this machine's plans are refused by name and change nothing")
  func refusals() throws {
    defer { try? Plans.use([]) }
    let folder = try TemporaryFolder()
    let layer = plan(.manyTiles)
    let (convolution, image, _) = example(.manyTiles)
    let file = folder.path + "/plans.json"
    try Plans.write([layer], to: file)
    let good = try String(contentsOfFile: file, encoding: .utf8)
    func check(_ text: String, _ comment: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: Plans.Unusable.self, "\(comment)") { try Plans.use(Plans.read(file)) }
      try Plans.use([layer])
      // Says so on the standard error, and leaves the plans that there are.
      Plans.load(file)
      _ = withoutGradients { convolution(image) }
      #expect(Plans.lastOrder == .tiles, "\(comment)")
    }
    try check("", "nothing")
    try check(String(good.prefix(good.count / 2)), "half a file")
    try check("[1, 2]", "other JSON")
    try check(good.replacingOccurrences(of: Plans.machine, with: "a z80"), "another machine")
    try check(good.replacingOccurrences(of: "plans 1", with: "plans 7"), "another form")
    try check(good.replacingOccurrences(of: "\"tiles\"", with: "\"knitting\""), "an unknown order")
    for number in ["13", "0", "-12", "9223372036854775807", "1e300"] {
      try check(
        good.replacingOccurrences(of: "\"together\" : 12", with: "\"together\" : \(number)"),
        "\(number) at once")
    }
    try check(
      good.replacingOccurrences(of: "\"largestTile\" : 4", with: "\"largestTile\" : 5"),
      "tiles of five")
    try check(
      good.replacingOccurrences(of: "\"inputs\" : 20", with: "\"inputs\" : 2000"),
      "tiles for many inputs")
    #expect(throws: Plans.Unusable.self) { try Plans.read(folder.path) }
    #expect(try Plans.read(folder.path + "/none.json") == [])
  }

  @Test("layers are measured once on the maps that they get, which come out as ever")
  func measuring() throws {
    try Plans.use([])
    let size = try #require(ConvolutionCase.planned.first { $0.rate == 3 })
    let (convolution, image, sum) = example(size)
    let before = withoutGradients { convolution(image).floats }
    let measured = Plans.measuring(repeats: 2) {
      for _ in 0..<2 { #expect(withoutGradients { convolution(image).floats } == before) }
    }
    // Other tests may convolve meanwhile.
    let own = measured.filter { $0.plan.layer == plan(size).layer }
    #expect(own.count == 1)
    #expect(own.allSatisfy { $0.plan.milliseconds > 0 && $0.plan.ruleMilliseconds > 0 })
    if let found = own.first, found.isPlanned {
      #expect(found.plan.milliseconds < 0.95 * found.plan.ruleMilliseconds)
      try Plans.use([found.plan])
      defer { try? Plans.use([]) }
      #expect(error(withoutGradients { convolution(image) }, sum) < 2e-5)
    }
    #expect(withoutGradients { convolution(image).floats } == before)
  }
}
