import Datasets
import Foundation
import Imaging
import Segmentation
import Synchronization
import Testing
import Torch

@testable import Evaluation

/// A network of a few thousand weights.
private func tinyModel(classes: Int = 3, outputStride: Int = 8) -> SegmentationModel {
  let backbone = DenseNet(
    .init(blocks: [2, 2], growth: 8, stem: 16), outputStride: outputStride)
  var head = DenseASPP.Configuration()
  head.dilations = [2, 3]
  head.growth = 8
  head.bottleneck = 16
  let model = SegmentationModel(
    backbone, DenseASPP(backbone.channels.last ?? 0, classes: classes, head), classes: classes)
  model.train(false)
  return model
}

private func noise(_ width: Int, _ height: Int, seed: UInt64 = 0) -> Image {
  var random = SampleRandom(seed: seed, epoch: 0, index: 0)
  return Image(
    width: width, height: height,
    pixels: (0..<width * height * 3).map { _ in UInt8(random.integer(below: 256)) })
}

@Suite("Prediction")
struct PredictorTests {
  @Test(
    "images of any size give masks of their size",
    arguments: [(1, 1), (1, 7), (9, 1), (3, 5), (8, 8), (17, 33), (64, 31), (70, 3)])
  func sizes(width: Int, height: Int) throws {
    let predictor = Predictor(tinyModel())
    let mask = try predictor.classes(of: noise(width, height))
    #expect(mask.size == Size(width: width, height: height))
    #expect(mask.classes.allSatisfy { $0 < 3 })
  }

  @Test("bands give what one resize of all scores gives", arguments: [(64, 200), (50, 131)])
  func bands(width: Int, height: Int) throws {
    let model = tinyModel()
    let predictor = Predictor(model)
    let image = noise(width, height)
    let mask = try predictor.classes(of: image)
    let whole = inferenceMode {
      let x = predictor.input(image)
      return model(x).sliced(2, 0, height).sliced(3, 0, width).argmax(1).to(.uint8)
    }
    #expect(mask.classes == whole.values(UInt8.self))
  }

  @Test("maps and kernels reach each convolution channels last, as on a GPU")
  func channelsLast() throws {
    final class Convolutions: OperatorObserver {
      var seen: [[Bool]] = []
      func observe(_ call: OperatorCall) {
        guard call.name == "conv2d" else { return }  // may return: counts convolutions
        seen.append(
          call.arguments.prefix(2).map {
            if case .tensor(let x) = $0 { x.isContiguous(.channelsLast) } else { false }
          })
      }
    }
    // The form without packed kernels is what a GPU runs.
    let model = tinyModel()
    model.useChannelsLast()
    let convolutions = Convolutions()
    try observing(convolutions) {
      _ = try Predictor(model, graphs: true).classes(of: noise(40, 24))
    }
    #expect(convolutions.seen.count > 8)
    #expect(convolutions.seen.allSatisfy { $0 == [true, true] }, "\(convolutions.seen)")
  }

  @Test("the network's input is the normalised image, with zeros beyond it")
  func input() throws {
    let predictor = Predictor(
      tinyModel(), encoding: .denseASPP, mode: InferenceMode(padding: .zero))
    let image = noise(5, 3)
    let x = predictor.input(image)
    #expect(x.shape == [1, 3, 8, 8])
    #expect(x.isContiguous(.channelsLast))
    let values = x.contiguous().floats
    for channel in 0..<3 {
      let level = Double(image.pixels[(2 * 5 + 4) * 3 + channel]) / 255
      let mean = InputEncoding.denseASPP.mean[channel]
      let expected = Float((level - mean) / InputEncoding.denseASPP.deviation[channel])
      #expect(values[channel * 64 + 2 * 8 + 4] == expected)
      #expect(values[channel * 64 + 2 * 8 + 5] == 0)
      #expect(values[channel * 64 + 3 * 8 + 4] == 0)
    }
  }

  @Test("a prediction can have the size of another ground truth")
  func otherSize() throws {
    let size = Size(width: 31, height: 45)
    #expect(try Predictor(tinyModel()).classes(of: noise(20, 30), size: size).size == size)
  }

  @Test("an image beyond the memory budget is refused with file, size, need and budget")
  func refused() throws {
    let predictor = Predictor(tinyModel(), memoryBudget: 4 << 20)
    let error = #expect(throws: PredictionError.self) {
      try predictor.classes(of: noise(400, 300), file: "street.png")
    }
    let text = try #require(error?.description)
    #expect(text.hasPrefix("street.png: 400×300 pixels would need about "))
    #expect(text.contains("the budget is 4 MiB"))
    #expect(throws: PredictionError.self) {
      try predictor.check(Size(width: 20_000, height: 20_000), file: "huge.png")
    }
  }

  @Test("tiles cover the whole image")
  func tiles() throws {
    let model = tinyModel()
    let whole = try Predictor(model).classes(of: noise(400, 300))
    let budget = Predictor(model).memoryNeed(Size(width: 200, height: 200))
    let tiled = try Predictor(model, memoryBudget: budget, oversize: .tile)
      .classes(of: noise(400, 300))
    #expect(tiled.size == whole.size)
    let same = zip(tiled.classes, whole.classes).count { $0 == $1 }
    #expect(Double(same) > 0.9 * Double(whole.classes.count))
  }

  @Test("tiles whose margin covers what a pixel sees give the whole image's mask")
  func exactTiles() throws {
    let backbone = DenseNet(.init(blocks: [1], growth: 8, stem: 16), outputStride: 4)
    var head = FCN.Configuration()
    head.convolutions = 0
    let model = SegmentationModel(
      backbone, FCN(backbone.channels.last ?? 0, classes: 3, head), classes: 3)
    model.train(false)
    let image = noise(500, 330)
    var whole = try Predictor(model).classes(of: image)
    // Weights as drawn may find one class everywhere.
    for _ in 0..<20 where Set(whole.classes).count == 1 {
      Initialization.kaimingNormal(model)
      whole = try Predictor(model).classes(of: image)
    }
    let budget = Predictor(model).memoryNeed(Size(width: 200, height: 200))
    let predictor = Predictor(model, memoryBudget: budget, oversize: .tile)
    let tiled = try predictor.classes(of: image)
    // Convolutions of other sizes may add in another order.
    let differing = zip(tiled.classes, whole.classes).count { $0 != $1 }
    #expect(differing <= 5, "\(differing)")
    let (a, b) = (Set(whole.classes), Set(tiled.classes))
    #expect(a == b && a.count > 1)
    let other = Size(width: 250, height: 165)
    #expect(try predictor.classes(of: image, size: other).size == other)
  }

  @Test("the network's own mode is back after a prediction")
  func mode() throws {
    let model = tinyModel()
    model.train()
    _ = try Predictor(model).classes(of: noise(16, 16))
    #expect(model.isTraining)
  }

  @Test("numbers of bytes as people write them")
  func bytes() {
    #expect(MemoryBudget.bytes("4G") == 4 << 30)
    #expect(MemoryBudget.bytes("1.5 GiB") == 3 << 29)
    #expect(MemoryBudget.bytes("500m") == 500 << 20)
    #expect(MemoryBudget.bytes("123") == 123)
    #expect(MemoryBudget.bytes("many") == nil)
    #expect(MemoryBudget.bytes("-1") == nil)
  }
}

@Suite("Evaluation")
struct EvaluatorTests {
  private func dataset(_ count: Int) throws -> MemoryDataset {
    let samples = (0..<count).map { index in
      let (width, height) = (20 + index, 30 - index)
      let truth = (0..<width * height).map { $0 % 7 == 0 ? LabelMap.ignored : UInt8($0 % 3) }
      return (
        name: "\(index)", image: noise(width, height, seed: UInt64(index)),
        mask: ClassMask(width: width, height: height, classes: truth)
      )
    }
    return MemoryDataset(name: "memory", labelMap: try .identity(3), samples: samples)
  }

  @Test("images of different sizes are scored, each at its own")
  func scores() throws {
    let data = try dataset(5)
    let predictor = Predictor(tinyModel())
    var expected = ConfusionMatrix(classes: 3)
    var visited: [String] = []
    let result = try Evaluator(predictor).evaluate(data) { sample, prediction, done in
      expected.add(truth: sample.mask, prediction: prediction)
      visited.append(sample.name)
      #expect(done == visited.count)
    }
    #expect(visited == ["0", "1", "2", "3", "4"])
    #expect(result.images == 5)
    #expect(result.scores.meanIoU == expected.meanIoU)
    #expect(result.pixels == expected.total)
    #expect(result.scores.meanIoUPerImage != nil)
    #expect(result.scoring.classes == 3)
    #expect(result.scoring.ignored == "255")
  }

  @Test("while an image is scored the next goes through the network and one more is read")
  func overlap() throws {
    let data = try Reading(dataset(4))
    _ = try Evaluator(Predictor(tinyModel())).evaluate(data) { _, _, done in
      // The third is read when the network has taken the second.
      if done == 1 { #expect(data.waits(for: 2), "the third image was not read meanwhile") }
    }
  }

  /// A data set that says which images have been asked for.
  private final class Reading: Dataset {
    private let base: MemoryDataset
    private let begun = Mutex(Set<Int>())
    var name: String { base.name }
    var labelMap: LabelMap { base.labelMap }
    var count: Int { base.count }

    init(_ base: MemoryDataset) { self.base = base }

    func item(_ index: Int) -> Item { base.item(index) }
    func loadMask(_ index: Int) throws -> ClassMask? { try base.loadMask(index) }
    func load(_ index: Int) throws -> Sample {
      begun.withLock { _ = $0.insert(index) }
      return try base.load(index)
    }

    /// Waits until an image has been asked for, half a minute at most.
    func waits(for index: Int) -> Bool {
      for _ in 0..<3000 {
        if begun.withLock({ $0.contains(index) }) { return true }
        usleep(10_000)
      }
      return false
    }
  }

  @Test("a resized input is scored at the size of the truth")
  func resized() throws {
    let data = try dataset(2)
    let result = try Evaluator(
      Predictor(tinyModel()), imageSize: .exact(Size(width: 16, height: 16))
    )
    .evaluate(data) { sample, prediction, _ in #expect(prediction.size == sample.mask.size) }
    #expect(result.scoring.imageSize == "size resized to 16×16")
    var evaluator = Evaluator(
      Predictor(tinyModel()), imageSize: .exact(Size(width: 16, height: 16)))
    evaluator.imageRule = .opencv
    let text = evaluator.scoring(for: data.labelMap).imageSize
    #expect(text == "size resized to 16×16 by the rule opencv")
    let (sample, image) = try Evaluator.load(
      data, 0, imageSize: evaluator.imageSize, imageRule: .opencv)
    #expect(image == sample.image.resized(to: Size(width: 16, height: 16), by: .opencv))
    #expect(image != sample.image.resampled(to: Size(width: 16, height: 16)))
  }

  @Test("ten thousand images pass with two of them in memory")
  func streaming() throws {
    struct Fake: Dataset {
      let name = "fake"
      let labelMap: LabelMap
      let count = 10_000
      let alive: Alive
      func item(_ index: Int) -> Item { Item(name: "\(index)", imagePath: "") }
      func loadMask(_ index: Int) throws -> ClassMask? { nil }
      func load(_ index: Int) throws -> Sample {
        alive.made.wrappingAdd(1, ordering: .relaxed)
        return Sample(
          index: index, name: "\(index)", image: noise(1, 1),
          mask: ClassMask(width: 1, height: 1, classes: [UInt8(index % 2)]))
      }
    }
    final class Alive: Sendable { let made = Atomic<Int>(0) }
    let alive = Alive()
    let data = Fake(labelMap: try .identity(2), alive: alive)
    // The evaluator's own loop, with a prediction that costs nothing.
    let ahead = Prefetch(count: data.count) { try data.load($0) }
    var matrix = ConfusionMatrix(classes: 2)
    var taken = 0
    while let next = ahead.next() {
      let sample = try next.get()
      taken += 1
      matrix.add(truth: sample.mask, prediction: ClassMask(width: 1, height: 1, classes: [0]))
      #expect(alive.made.load(ordering: .relaxed) <= taken + 3)
    }
    #expect(matrix.total == 10_000)
    #expect(matrix.correct == 5_000)
  }

  @Test("an error stands in its value's turn and the rest goes on")
  func errors() throws {
    struct Odd: Error {}
    let ahead = Prefetch(count: 4) { index in
      if index == 1 { throw Odd() }
      return index
    }
    var seen: [Int] = []
    var failed = 0
    while let next = ahead.next() {
      do { seen.append(try next.get()) } catch { failed += 1 }
    }
    #expect(seen == [0, 2, 3])
    #expect(failed == 1)
  }
}
