import Configuration
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Receptive fields")
struct ReceptiveFieldTests {
  @Test(
    "scales and positions of DenseASPP's cascades",
    arguments: [
      ([3, 6, 9, 12], 10, 15, 61, 441), ([6, 12, 18, 24], 10, 15, 121, 441),
      ([3, 6, 12, 18, 24], 21, 31, 127, 1849), ([3, 6, 9, 12, 18, 24], 24, 63, 145, 2401),
    ])
  func scales(dilations: [Int], scales: Int, subsets: Int, largest: Int, positions: Int) {
    var configuration = DenseASPP.Configuration()
    configuration.dilations = dilations
    let cascade = ReceptiveFieldReport.Cascade(configuration, stride: 8)
    #expect((cascade.scales.count, cascade.subsets) == (scales, subsets))
    #expect((cascade.scales.last, cascade.positions) == (largest, positions))
    #expect(cascade.pixels == 8 * (largest - 1))
    #expect(cascade.text.contains("\(scales) of \(subsets) subsets"))
  }

  @Test("the scales of dilations 3, 6, 12, 18, 24 go from 7 to 127 in steps of 6")
  func list() {
    #expect(DenseASPP.Configuration().scales == Array(stride(from: 7, through: 127, by: 6)))
  }

  @Test("kernels that see the whole image before they begin are marked")
  func context() throws {
    let model = try tinyModel(tinyCascade)
    let large = try ReceptiveFieldReport(model, height: 640, width: 640)
    #expect(large.addNoContext.isEmpty && !large.text.contains("nothing"))
    let small = try ReceptiveFieldReport(model, height: 24, width: 24)
    let convolutions = small.layers.filter { $0.before != nil }
    let first = try #require(small.addNoContext.first)
    let at = try #require(convolutions.firstIndex { $0.name == first })
    // Windows only grow along this network, and an input's is the output's of the layer before it.
    #expect(small.addNoContext == convolutions[at...].map(\.name))
    #expect(at > 0 && convolutions[at - 1].before.map { $0.height < 24 } == true)
    #expect(try #require(convolutions.first?.before).height == 1)
    let count = "\(small.addNoContext.count) of \(convolutions.count) convolutions"
    #expect(small.text.contains(count))
  }

  /// With positive weights every pixel of the window has a positive gradient unless a dilated kernel
  /// skips it, and the outermost never are.
  @Test("windows are where gradients end")
  func gradients() throws {
    let model = try tinyModel(tinyCascade)
    for (_, parameter) in model.parameters where parameter.rank == 4 { parameter.fill(0.01) }
    let (side, row, column) = (160, 10, 9)
    let layers = try ReceptiveFieldReport(model, height: side, width: side).layers
    let last = try #require(layers.last)
    let rows = try #require(last.rows)
    #expect(last.shape == [1, 3, side / 8, side / 8] && !last.seesAll)
    #expect(rows.jump == 8)
    var field = EffectiveReceptiveField(
      height: side, width: side, target: .position(row: row, column: column))
    // Of equal numbers pooling takes the first, of rising ones the last.
    let rising = (0..<3 * side * side).map { Float(1 + $0 % side + $0 / side % side) }
    for image in [
      Tensor(filledWith: 1, [1, 3, side, side]), Tensor(rising, [1, 3, side, side]),
    ] {
      field.add(image) { model.output($0).logits }
    }
    let hits = field.values.indices.filter { field.values[$0] != 0 }
    let (hitRows, hitColumns) = (hits.map { $0 / side }, hits.map { $0 % side })
    func expected(_ position: Int) -> ClosedRange<Int> {
      let low = Int(rows.low) + 8 * position, high = Int(rows.high) + 8 * position
      return max(0, low)...min(side - 1, high)
    }
    #expect(hitRows.min().map { $0...(hitRows.max() ?? 0) } == expected(row))
    #expect(hitColumns.min().map { $0...(hitColumns.max() ?? 0) } == expected(column))
    #expect(expected(row).lowerBound > 0)
  }

  @Test(
    "windows of dilated residual networks are what their kernels and strides add up to",
    // Of D-54: 7, and 2 for each 3×3 times stride and dilation: 2 + 2, 4 + 2 · 8, 8 + 3 · 16, 6 · 32, 3 · 64, 32, 16.
    arguments: [("drn_d_22", 527), ("drn_d_38", 991), ("drn_d_54", 519)])
  func dilatedResidualNetworks(_ name: String, _ size: Int) throws {
    let model = try shapesOnly {
      try ModelBuilder.build(
        Section(
          yaml: "{backbone: {name: \(name)}, head: {name: linear}, classes: 2}", named: "test"))
    }
    let report = try shapesOnly { try ReceptiveFieldReport(model, height: 64, width: 64) }
    let rows = try #require(report.layers.last?.rows)
    #expect(rows.size == Double(size) && rows.jump == 8)
  }

  @Test("a pooled branch sees all")
  func pooled() throws {
    let layers = try ReceptiveFieldReport(tinyModel(tinyPyramid), height: 64, width: 64).layers
    #expect(layers.last?.seesAll == true)
    #expect(layers.contains { $0.name == "classifier.0.convs.2.0" && !$0.seesAll })
  }

  @Test(
    "products of two maps see all, those of a map and weights their position",
    arguments: [("danet", "classifier.channel.out_conv.0"), ("encnet", "classifier.classifier")])
  func products(_ head: String, _ name: String) throws {
    let model = try shapesOnly {
      try ModelBuilder.build(
        Section(
          yaml: "{backbone: {name: resnet18, outputStride: 8}, head: {name: \(head)}, classes: 2}",
          named: "test"))
    }
    let layers = try shapesOnly { try ReceptiveFieldReport(model, height: 64, width: 64).layers }
    let after = try #require(layers.first { $0.name == name })
    #expect(after.seesAll)
    #expect(layers.contains { $0.name.hasPrefix("backbone.") && !$0.seesAll })
  }

  @Test("the report ends with what a pixel depends on")
  func reading() throws {
    let all = try ReceptiveFieldReport(tinyModel(tinyPyramid), height: 64, width: 96)
    #expect(all.text.hasSuffix(all.reading))
    #expect(all.reading.contains("Through a mean or attention it depends on the whole image"))
    let rows = try #require(
      all.layers.filter { !$0.seesAll }.compactMap(\.rows).max { $0.size < $1.size })
    #expect(all.reading.contains("at most \(Int(rows.size))x\(Int(rows.size)) pixels"))
    #expect(all.text.contains(" 12x8 ") && !all.text.contains(" 8x12 "))
    let part = try ReceptiveFieldReport(tinyModel("{name: fcn}"), height: 512, width: 1024)
    #expect(part.reading.contains("of the image's 1024x512, of which the backbone alone sees"))
    #expect(!part.reading.contains("Through a mean"))
  }

  @Test("traced layers add up to what is counted")
  func trace() throws {
    let model = try tinyModel(tinyPyramid)
    let counter = FlopCounter()
    withoutGradients {
      observing(counter) { _ = model.output(Tensor(filledWith: 0, [1, 3, 64, 64])) }
    }
    let layers = try shapesOnly {
      try LayerTrace(tinyModel(tinyPyramid), height: 64, width: 64).layers
    }
    #expect(layers.reduce(0) { $0 + $1.flops } == counter.total && counter.total > 0)
    let all = model.parameters.reduce(0) { $0 + $1.parameter.count }
    #expect(layers.reduce(0) { $0 + $1.parameters } == all)
    let first = try #require(layers.first { $0.kind == "conv2d" })
    #expect(first.name == "backbone.conv0" && first.shape == [1, 8, 32, 32])
    #expect(first.bytes == 8 * 32 * 32 * 4)
  }
}
