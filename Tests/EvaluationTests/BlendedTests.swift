import Datasets
import Foundation
import Imaging
import Segmentation
import Testing
import Torch

@testable import Evaluation

@Suite("Images block by block")
struct BlendedTests {
  /// A network without anything global, whose weights are drawn from a seed of their own.
  private func predictor() -> Predictor {
    let model = withPreservedRandomState {
      Engine.seed(4)
      let backbone = DenseNet(.init(blocks: [2, 2], growth: 8, stem: 16), outputStride: 8)
      var head = DenseASPP.Configuration()
      (head.dilations, head.growth, head.bottleneck) = ([1, 2], 8, 16)
      return SegmentationModel(
        backbone, DenseASPP(backbone.channels.last ?? 0, classes: 3, head), classes: 3)
    }
    model.train(false)
    return Predictor(model)
  }

  /// Large shapes of a few colours.
  private func image(_ width: Int, _ height: Int) -> Image {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        let part = (x / 90 + 2 * (y / 70) + (x + y) / 160) % 4
        let ripple = (x * 7 + y * 13) % 11
        pixels += [[30, 200, 90, 140], [60, 80, 220, 10], [200, 30, 60, 120]].map {
          UInt8($0[part] + ripple)
        }
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  private func run(
    _ predictor: Predictor, _ image: Image, _ tiling: Tiling, from first: Int = 0,
    missing: [Bool]? = nil, wanted: BlendedPrediction.Wanted = [], numbers: Int? = nil
  ) throws -> [BlendedPrediction.Band] {
    let blended = BlendedPrediction(predictor, image.size, tiling, wanted: wanted)
    if let numbers { blended.mostNumbers = numbers }
    return try (max(0, first - 1)..<blended.count).compactMap { row in
      let band = try blended.band(
        row, isKept: row >= first,
        image: { column in
          let window = blended.window(row: row, column: column)
          let part = missing.map { missing in
            (window.y..<window.y + window.size.height).flatMap { y in
              missing[y * image.width + window.x..<y * image.width + window.x + window.size.width]
            }
          }
          return (image.cropped(x: window.x, y: window.y, size: window.size), part)
        })
      return row >= first ? band : nil
    }
  }

  private func agreement(_ a: [UInt8], _ b: [UInt8]) -> Double {
    Double(zip(a, b).count { $0 == $1 }) / Double(max(a.count, b.count, 1))
  }

  @Test("one block gives what the whole image gives", arguments: [(70, 50), (61, 43), (256, 256)])
  func whole(width: Int, height: Int) throws {
    let (predictor, image) = (predictor(), image(width, height))
    let tiling = Tiling(step: 256, overlap: 0.25, alignment: predictor.stride)
    let bands = try run(predictor, image, tiling)
    #expect(bands.count == 1)
    #expect(try bands[0].classes == predictor.classes(of: image).classes)
  }

  @Test("blocks fit each other and other blocks, and lie as those of the whole image")
  func seams() throws {
    // Of sides of whole cells, as the cells of others are stretched over the whole image.
    let (predictor, image) = (predictor(), image(904, 736))
    let expected = try predictor.classes(of: image).classes
    #expect(Set(expected).count > 1)
    for (step, overlap) in [(256, 0.25), (256, 0.5), (512, 0.125)] {
      let tiling = Tiling(step: step, overlap: overlap, alignment: predictor.stride)
      let bands = try run(predictor, image, tiling)
      #expect(bands.map(\.rows.count).reduce(0, +) == image.height)
      let classes = bands.flatMap(\.classes)
      #expect(agreement(classes, expected) >= 0.999, "\(step), \(overlap)")
    }
  }

  @Test("rows may begin anywhere and are the same")
  func resumed() throws {
    let (predictor, image) = (predictor(), image(600, 900))
    let tiling = Tiling(step: 256, overlap: 0.125, alignment: predictor.stride)
    let all = try run(predictor, image, tiling)
    #expect(all.count == 4)
    for first in 1..<4 {
      #expect(
        try run(predictor, image, tiling, from: first).flatMap(\.classes)
          == all.dropFirst(first).flatMap(\.classes))
    }
  }

  @Test("probabilities add up to one and have the class that was chosen as their largest")
  func shares() throws {
    let (predictor, image) = (predictor(), image(520, 300))
    let tiling = Tiling(step: 256, overlap: 0.125, alignment: predictor.stride)
    for band in try run(predictor, image, tiling, wanted: .shares) {
      let shares = try #require(band.shares)
      #expect(shares.count == 3 * band.classes.count)
      for (i, value) in band.classes.enumerated() {
        let own = shares[3 * i..<3 * i + 3]
        #expect(abs(own.reduce(0) { $0 + Int($1) } - 255) <= 2)
        #expect(Int(own[own.startIndex + Int(value)]) == Int(own.max() ?? 0))
      }
    }
  }

  @Test(
    "confidence and uncertainty are those of the whole image, and nothing where nothing was measured"
  )
  func sureness() throws {
    let (predictor, image) = (predictor(), image(520, 300))
    let missing = (0..<520 * 300).map { $0 % 520 < 40 && $0 / 520 < 30 }
    let tiling = Tiling(step: 256, overlap: 0.125, alignment: predictor.stride)
    let bands = try run(
      predictor, image, tiling, missing: missing, wanted: [.confidence, .uncertainty])
    let confidence = try bands.flatMap { try #require($0.confidence) }
    let uncertainty = try bands.flatMap { try #require($0.uncertainty) }
    let whole = try #require(predictor.predict(image, wanted: .probabilities).probabilities)
    func differences(_ steps: [some BinaryInteger], _ expected: [Float]) -> [Float] {
      steps.indices.filter { !missing[$0] }.map { abs(Float(steps[$0]) / 255 - expected[$0]) }
    }
    // Blocks see an image's surroundings only so far.
    for found in [
      differences(confidence, whole.confidence),
      differences(uncertainty, whole.entropy.map { $0 / logf(3) }),
    ] {
      #expect(found.count { $0 > 0.02 } <= found.count / 100)
    }
    #expect(Set(confidence).count > 10 && Set(uncertainty).count > 10)
    #expect(
      missing.indices.allSatisfy { !missing[$0] || confidence[$0] == 0 && uncertainty[$0] == 0 })
    #expect(bands.allSatisfy { $0.shares == nil })
  }

  /// The numbers of a plane over all rows of blocks.
  private func plane(_ index: Int, _ bands: [BlendedPrediction.Band]) throws -> [UInt16] {
    try bands.flatMap { band in
      let planes = try #require(band.planes)
      let pixels = band.classes.count
      return planes[index * pixels..<(index + 1) * pixels]
    }
  }

  @Test("probabilities and confidence of 16 bits are those of the whole image, also softened")
  func fine() throws {
    let (predictor, image) = (predictor(), image(250, 180))
    for temperature in [nil, Temperature([1.7]), Temperature([0.6, 1.3, 2.1])] {
      predictor.temperature = temperature
      let tiling = Tiling(step: 256, overlap: 0.25, alignment: predictor.stride)
      let whole = try predictor.predict(image, wanted: [.confidence, .probabilities])
      let expected = try #require(whole.probabilities)
      func words(_ values: some Collection<Float>) -> [UInt16] {
        values.map { UInt16($0 * 65_535 + 0.5) }
      }
      // Of one block they are the same, however few rows are held in single precision.
      for numbers in [nil, 1] {
        let halves = try run(predictor, image, tiling, wanted: .halves, numbers: numbers)
        let steps = try run(
          predictor, image, tiling, wanted: [.words, .fineConfidence], numbers: numbers)
        for k in 0..<3 {
          let own = expected.values[k * expected.pixels..<(k + 1) * expected.pixels]
          #expect(try plane(k, halves) == own.map { Float16($0).bitPattern })
          #expect(try plane(k, steps) == words(own))
        }
        #expect(steps[0].confidence == words(try #require(whole.confidence)))
        #expect(steps[0].classes == whole.mask.classes && halves[0].classes == whole.mask.classes)
      }
    }
  }

  @Test("16 bits of many blocks agree with those of 8, and are nothing where nothing was measured")
  func fineBlocks() throws {
    let (predictor, image) = (predictor(), image(520, 300))
    predictor.temperature = Temperature([0.6, 1.3, 2.1])
    let missing = (0..<520 * 300).map { $0 % 520 < 40 && $0 / 520 < 30 }
    let tiling = Tiling(step: 256, overlap: 0.125, alignment: predictor.stride)
    func found(_ wanted: BlendedPrediction.Wanted) throws -> [BlendedPrediction.Band] {
      try run(predictor, image, tiling, missing: missing, wanted: wanted, numbers: 1)
    }
    let (coarse, fine) = (try found([.shares, .confidence]), try found([.words, .fineConfidence]))
    let whole = try #require(predictor.predict(image, wanted: .probabilities).probabilities)
    for (a, b) in zip(coarse, fine) {
      let (shares, planes) = (try #require(a.shares), try #require(b.planes))
      #expect(a.classes == b.classes)
      let pixels = a.classes.count
      var (most, far) = (Float(0), 0)
      for i in 0..<pixels {
        for k in 0..<3 {
          let own = Float(planes[k * pixels + i]) / 65_535
          most = max(most, abs(own - Float(shares[3 * i + k]) / 255))
          let at = b.rows.lowerBound * 520 + i
          if !missing[at], abs(own - whole.values[k * whole.pixels + at]) > 0.02 { far += 1 }
        }
      }
      #expect(most <= 0.5 / 255 + 1e-4)
      // Blocks see an image's surroundings only so far.
      #expect(far <= 3 * pixels / 100)
      for (i, (a, b)) in zip(try #require(a.confidence), try #require(b.confidence)).enumerated() {
        guard abs(Float(a) / 255 - Float(b) / 65_535) <= 0.5 / 255 + 1e-4 else {
          Issue.record("pixel \(i): \(a), \(b)")
          break
        }
      }
    }
    let first = try plane(0, fine)
    let sums = try plane(1, fine).enumerated().map { Int(first[$0]) + Int($1) }
    #expect(missing.indices.allSatisfy { !missing[$0] || sums[$0] == 0 })
  }

  @Test("what was not measured is ignored, and windows without anything are not computed")
  func missing() throws {
    let (predictor, image) = (predictor(), image(700, 700))
    let tiling = Tiling(step: 256, overlap: 0.125, alignment: predictor.stride)
    let plain = try run(predictor, image, tiling).flatMap(\.classes)
    let missing = (0..<700 * 700).map { $0 % 700 < 500 && $0 / 700 < 520 }
    let found = try run(predictor, image, tiling, missing: missing).flatMap(\.classes)
    for i in found.indices where (found[i] == LabelMap.ignored) != missing[i] {
      Issue.record("pixel \(i)")
      break
    }
    // What is there is what it was, though its neighbours were not computed.
    let there = found.indices.filter { !missing[$0] }
    #expect(agreement(there.map { found[$0] }, there.map { plain[$0] }) >= 0.999)
  }

  @Test("windows lie in the image and cover their blocks", arguments: [8, 14, 16, 32])
  func tiling(alignment: Int) {
    for (step, overlap) in [(256, 0.0), (256, 0.125), (512, 0.5), (1024, 0.3)] {
      let tiling = Tiling(step: step, overlap: overlap, alignment: alignment)
      for length in [1, 200, 256, 257, 300, 511, 1025, 5000] {
        let blocks = tiling.blocks(length)
        #expect(blocks.first?.lowerBound == 0 && blocks.last?.upperBound == length)
        for (block, next) in zip(blocks, blocks.dropFirst()) {
          #expect(block.upperBound == next.lowerBound && block.count == step)
          let seen = tiling.seen(block, of: length)
          #expect(seen.upperBound >= min(length, block.upperBound + tiling.overlap))
        }
        for block in blocks {
          let seen = tiling.seen(block, of: length)
          #expect(seen.lowerBound >= 0 && seen.upperBound <= length)
          #expect(seen.lowerBound % alignment == 0)
          #expect(seen.lowerBound <= block.lowerBound && seen.upperBound >= block.upperBound)
          #expect(seen.count <= tiling.side)
        }
      }
    }
  }
}
