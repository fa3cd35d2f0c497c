import Datasets
import Foundation
import Imaging
import Segmentation
import Torch

/// Runs a network on whole images of any size, from 1×1 pixel upwards.
///
/// An image is normalised, extended at the right and at the bottom to a multiple of the network's
/// stride by the normalisation's mean, run through the network, and what was added is cut off
/// again. Scores are resized to the size asked for before the best class is chosen. The network is
/// in evaluation mode while it predicts, and its own mode is restored.
public final class Predictor {
  /// What to do with an image that needs more memory than there may be used.
  public enum Oversize: Sendable {
    /// Throw ``PredictionError/tooLarge(file:size:need:budget:)``.
    case refuse
    /// Cut it into tiles that overlap and fit.
    case tile
  }

  /// The network.
  public let model: SegmentationModel
  /// What turns levels into the network's input.
  public let normalization: Normalization
  /// Where the network runs; its weights must be there already.
  public let device: Device
  /// The type that convolutions are computed in; nil for that of the weights.
  public let precision: DType?
  /// The type of the products, for the protocol.
  var products: String {
    if let precision { return "\(precision)" }
    let isReduced = model.isPrepared && model.precision != .float32
    return isReduced ? "float32 with 1×1 products in \(model.precision)" : "float32"
  }
  /// The memory that one image may take, in bytes.
  public let memoryBudget: Int
  /// What happens to images that need more.
  public let oversize: Oversize
  /// How images go through the network.
  public let mode: InferenceMode
  /// Sides are extended to multiples of this.
  public let stride: Int

  private lazy var bytesPerPixel = measuredBytesPerPixel()
  /// The head's scores of an input, recorded for the sizes that come again where graphs are wanted.
  private lazy var recordedNetwork = RecordedFunction(on: device) { [model, precision, device] in
    Self.scores($0, model, precision, device)
  }
  private let graphs: Bool

  /// A predictor with the weights that `model` has; with `graphs` a GPU gets the work for images of a
  /// size that came before as a whole, see `RecordedFunction`.
  public init(
    _ model: SegmentationModel, normalization: Normalization = .imageNet, device: Device = .cpu,
    precision: DType? = nil, memoryBudget: Int = MemoryBudget.standard,
    oversize: Oversize = .refuse, mode: InferenceMode = InferenceMode(), graphs: Bool = false
  ) {
    self.graphs = graphs
    self.model = model
    self.normalization = normalization
    self.device = device
    self.precision = precision
    self.memoryBudget = memoryBudget
    self.oversize = oversize
    self.mode = mode
    stride = max(model.backbone.strides.max() ?? 1, model.backbone.minimumSide)
  }

  /// The class of each pixel of an RGB image, at its own size or at `size`.
  ///
  /// - Parameter file: What messages call the image.
  /// - Throws: ``PredictionError``, and `TorchError` for a network that cannot take the image.
  public func classes(of image: Image, size: Size? = nil, file: String = "image") throws
    -> ClassMask
  {
    try classes(of: image, size: size, file: file, levels: nil)
  }

  /// As ``classes(of:size:file:)``; `levels` is given the probabilities of two classes' foreground.
  func classes(of image: Image, size: Size?, file: String, levels: ForegroundLevels?) throws
    -> ClassMask
  {
    guard image.channels == 3 else {
      throw PredictionError.notRGB(file: file, channels: image.channels)
    }
    let size = size ?? image.size
    guard mode.isPlain else { return try averaged(image, size: size, file: file, levels) }
    guard needsTiles(image.size) else {
      return try attempt { evaluating { mask(scores(of: image), image.size, size, levels) } }
    }
    guard oversize == .tile, let side = tileSide(image.size) else {
      throw tooLarge(image.size, file: file)
    }
    // At another size tiles meet between pixels, where windows are averaged.
    guard size == image.size else {
      return try averaged(image, size: size, file: file, levels)
    }
    return try attempt { evaluating { tiled(image, side: side, levels) } }
  }

  /// The class of each pixel by the mean over windows, scales and mirror images.
  ///
  /// What the network gave for each is kept at its own coarse size until all are there, which is less
  /// than one sum of all scores at full size takes.
  private func averaged(
    _ image: Image, size: Size, file: String, _ levels: ForegroundLevels?
  ) throws -> ClassMask {
    try mode.check()
    return try attempt {
      try evaluating {
        var parts: [PlacedScores] = []
        for scale in mode.scales {
          func scaled(_ length: Int) -> Int {
            max(1, Int((Double(length) * scale).rounded()))
          }
          let view = image.resized(
            to: Size(width: scaled(image.width), height: scaled(image.height)))
          let window = try window(for: view.size, file: file)
          parts += placed(view, size, window, isMirrored: false)
          if mode.flip { parts += placed(view.mirrored, size, window, isMirrored: true) }
        }
        return complete(
          ScoreFusion.classes(
            parts, width: size.width, height: size.height, averaging: mode.averaging,
            levels: levels), size)
      }
    }
  }

  /// The window that an image is seen by: the mode's, or one that fits the memory budget.
  private func window(for size: Size, file: String) throws -> InferenceMode.Window {
    var window = mode.window ?? .init(size)
    window.size = Size(
      width: min(window.size.width, size.width), height: min(window.size.height, size.height))
    guard needsTiles(window.size) else { return window }
    guard oversize == .tile, let side = tileSide(size) else {
      throw tooLarge(window.size, file: file)
    }
    window.size = Size(
      width: min(window.size.width, side), height: min(window.size.height, side))
    return window
  }

  /// The scores of all windows of an image, placed in a result of `target` pixels.
  private func placed(
    _ image: Image, _ target: Size, _ window: InferenceMode.Window, isMirrored: Bool
  ) -> [PlacedScores] {
    let tops = InferenceMode.starts(
      image.height, side: window.size.height, overlap: window.overlap)
    let lefts = InferenceMode.starts(image.width, side: window.size.width, overlap: window.overlap)
    var found: [[Tensor]] = []
    for top in tops {
      found.append(
        lefts.map { left in
          let part =
            window.size == image.size
            ? image : image.cropped(x: left, y: top, size: window.size)
          return scores(of: part)
        })
    }
    guard let first = found.first?.first else { return [] }
    let padded = padded(window.size)
    func axis(
      _ cells: Int, _ extent: Int, _ origin: Int, _ length: Int, _ image: Int, _ target: Int,
      _ isMirrored: Bool
    ) -> GridAxis {
      var axis = GridAxis(
        cells: cells, extent: extent, origin: origin, length: length, image: image, target: target,
        alignCorners: model.alignCorners, isMirrored: isMirrored)
      if window.weights == .gaussian {
        let centre = Double(axis.weight.count - 1) / 2
        let deviation = max(Double(axis.weight.count) / 8, 0.5)
        for i in axis.weight.indices {
          let distance = (Double(i) - centre) / deviation
          axis.weight[i] = max(
            Float.leastNormalMagnitude * 1e8, Float(exp(-distance * distance / 2)))
        }
      }
      return axis
    }
    var rows = tops.map {
      axis(first.height, padded.height, $0, window.size.height, image.height, target.height, false)
    }
    var columns = lefts.map {
      axis(first.width, padded.width, $0, window.size.width, image.width, target.width, isMirrored)
    }
    GridAxis.normalize(&rows, target.height)
    GridAxis.normalize(&columns, target.width)
    return zip(rows, found).flatMap { rows, line in
      zip(columns, line).map { PlacedScores($1, rows: rows, columns: $0) }
    }
  }

  /// Refuses an image by its size, before it is decoded.
  ///
  /// - Throws: ``PredictionError/tooLarge(file:size:need:budget:)``; where tiles are allowed only if
  ///   the pixels alone would not fit.
  public func check(_ size: Size, file: String) throws {
    let pixels = size.width.multipliedReportingOverflow(by: size.height)
    let tooMany = pixels.overflow || pixels.partialValue > memoryBudget / 8
    if tooMany || needsTiles(size) && (oversize == .refuse || tileSide(size) == nil) {
      throw tooLarge(size, file: file)
    }
  }

  /// About how many bytes an image takes on its way through the network.
  public func memoryNeed(_ size: Size) -> Int {
    let padded = padded(size)
    let pixels = Double(padded.width) * Double(padded.height)
    // What operators take for themselves, for other orders and types of their input, is not seen by
    // the probe: on processors up to half as much again, and more where types change on the way.
    let unseen = precision == nil ? 1.5 : 1.9
    let need = unseen * bytesPerPixel * pixels + 16 * pixels + 0x1p20
    return need < 0x1p62 ? Int(need) : .max
  }

  // MARK: Parts

  /// The image as the network takes it: (1, 3, H, W) in channels-last memory, extended to multiples
  /// of the stride by zeros, which are the normalisation's mean.
  public func input(_ image: Image) -> Tensor {
    let padded = padded(image.size)
    let memory = InputMemory(count: padded.width * padded.height * 3)
    let table = (0..<768).map { entry in
      let mean = normalization.mean[entry >> 8]
      return Float((Double(entry & 255) / 255 - mean) / normalization.deviation[entry >> 8])
    }
    let width = image.width * 3
    image.pixels.withUnsafeBufferPointer { pixels in
      table.withUnsafeBufferPointer { table in
        for y in 0..<image.height {
          let row = memory.start + y * padded.width * 3
          var (i, from) = (0, y * width)
          while i < width {
            row[i] = table[Int(pixels[from])]
            row[i + 1] = table[256 + Int(pixels[from + 1])]
            row[i + 2] = table[512 + Int(pixels[from + 2])]
            i += 3
            from += 3
          }
        }
      }
    }
    return Tensor(
      sharing: memory.start, [1, padded.height, padded.width, 3], .float32, owner: memory
    ).permuted(0, 3, 1, 2).to(device)
  }

  private func padded(_ size: Size) -> Size {
    func up(_ length: Int) -> Int { (length + stride - 1) / stride * stride }
    return Size(width: up(size.width), height: up(size.height))
  }

  /// The head's own scores (1, classes, H / stride, W / stride) of an image.
  private func scores(of image: Image) -> Tensor {
    let x = input(image)
    return graphs ? recordedNetwork(x) : Self.scores(x, model, precision, device)
  }

  private static func scores(
    _ x: Tensor, _ model: SegmentationModel, _ precision: DType?, _ device: Device
  ) -> Tensor {
    autocast(to: precision, on: device) { model.output(x).logits }.to(.float32)
  }

  /// The best class of every pixel, of scores that cover an image and what it was extended by.
  private func mask(
    _ scores: Tensor, _ image: Size, _ size: Size, _ levels: ForegroundLevels?
  ) -> ClassMask {
    let padded = padded(image)
    func axis(_ cells: Int, _ extent: Int, _ image: Int, _ target: Int) -> GridAxis {
      GridAxis(
        cells: cells, extent: extent, origin: 0, length: image, image: image, target: target,
        alignCorners: model.alignCorners)
    }
    let part = PlacedScores(
      scores, rows: axis(scores.height, padded.height, image.height, size.height),
      columns: axis(scores.width, padded.width, image.width, size.width))
    return complete(
      ScoreFusion.classes(
        [part], width: size.width, height: size.height, averaging: nil, levels: levels), size)
  }

  /// The mask; of nothing if an operator failed, which ``attempt(_:)`` reports.
  private func complete(_ classes: [UInt8], _ size: Size) -> ClassMask {
    classes.count == size.width * size.height
      ? ClassMask(width: size.width, height: size.height, classes: classes)
      : ClassMask(size: size)
  }

  private func evaluating<R>(_ body: () throws -> R) rethrows -> R {
    let wasTraining = model.isTraining
    model.train(false)
    defer { model.train(wasTraining) }
    return try inferenceMode(body)
  }

  // MARK: Memory

  private func needsTiles(_ size: Size) -> Bool { memoryNeed(size) > memoryBudget }

  private func tooLarge(_ size: Size, file: String) -> PredictionError {
    .tooLarge(file: file, size: size, need: memoryNeed(size), budget: memoryBudget)
  }

  private func measuredBytesPerPixel() -> Double {
    let side = max(64, 2 * stride) / stride * stride
    let probe = MemoryProbe()
    evaluating {
      let image = Image(
        width: side, height: side, pixels: [UInt8](repeating: 0, count: side * side * 3))
      // What layers make of their weights at first stays, and is the same for images of any size.
      let x = input(image)
      _ = Self.scores(x, model, precision, device)
      observing(probe) { _ = Self.scores(input(image), model, precision, device) }
    }
    return Double(probe.peak) / Double(side * side)
  }

  /// The side of the largest square tile that fits the budget beside an image of this size and its
  /// mask; nil if none of use does.
  private func tileSide(_ size: Size) -> Int? {
    let left = memoryBudget - 4 * size.width * size.height
    var side = stride
    while memoryNeed(Size(width: side + stride, height: side + stride)) <= left,
      side < 4096
    { side += stride }
    return side >= 4 * stride && side >= 128 ? side : nil
  }

  /// Predicts square by square; each sees a margin that is not kept.
  ///
  /// All squares are of one size: libtorch keeps memory for every size that it has seen.
  private func tiled(_ image: Image, side: Int, _ levels: ForegroundLevels?) -> ClassMask {
    let margin = max(side / 8 / stride, 1) * stride
    let core = side - 2 * margin
    let whole = padded(image.size)
    var result = ClassMask(size: image.size, filledWith: 0)
    levels?.values = [UInt16](repeating: 0, count: image.width * image.height)
    let own = levels.map { ForegroundLevels($0.foreground) }
    for top in Swift.stride(from: 0, to: image.height, by: core) {
      for left in Swift.stride(from: 0, to: image.width, by: core) {
        let x0 = max(min(left - margin, whole.width - side), 0)
        let y0 = max(min(top - margin, whole.height - side), 0)
        let size = Size(
          width: min(side, image.width - x0), height: min(side, image.height - y0))
        let part = image.cropped(x: x0, y: y0, size: size)
        let mask = mask(scores(of: part), size, size, own)
        MemoryBudget.release()
        for y in top..<min(top + core, image.height) {
          let (from, to) = ((y - y0) * size.width - x0, y * image.width)
          for x in left..<min(left + core, image.width) {
            result.classes[to + x] = mask.classes[from + x]
          }
          guard let levels, let own, own.values.count == mask.classes.count else { continue }
          for x in left..<min(left + core, image.width) {
            levels.values[to + x] = own.values[from + x]
          }
        }
      }
    }
    return result
  }
}

/// Zeroed memory for the network's input.
private final class InputMemory {
  let start: UnsafeMutablePointer<Float>

  init(count: Int) {
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
    start = raw.bindMemory(to: Float.self, capacity: count)
    start.initialize(repeating: 0, count: count)
  }

  deinit { start.deallocate() }
}
