import Datasets
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// Runs a network on whole images of any size, from 1×1 pixel upwards.
///
/// An image is normalised and run through the network as it is, unless the mode's ``Padding`` extends it;
/// what was added is cut off again. Scores are resized to the size asked for before the best class is
/// chosen. The network is in evaluation mode while it predicts, and its own mode is restored.
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
  public let encoding: InputEncoding
  /// Where the network runs; its weights must be there already.
  public let device: Device
  /// The type that convolutions are computed in; nil for that of the weights.
  public let precision: DType?
  /// What runs the network; nil for the network itself.
  private let runner: Runner?
  /// The type of the products in words, for the protocol.
  var precisionText: String {
    if let precision { return "\(precision)" }
    let reduced = runner.map(\.options.precision) ?? .float32
    return reduced == .float32 ? "float32" : "float32 with 1×1 products in \(reduced)"
  }
  /// The memory that one image may take, in bytes.
  public let memoryBudget: Int
  /// What happens to images that need more.
  public let oversize: Oversize
  /// How images go through the network.
  public let mode: InferenceMode
  /// What the probabilities that are asked for are softened by; classes stay the same.
  public var temperature: Temperature?
  private var padding: Padding { mode.padding ?? .unchanged }
  /// Sides that ``Padding`` extends become multiples of this; tiles begin at its multiples.
  public let stride: Int

  private lazy var footprint = measuredFootprint()
  /// The head's scores of an input, recorded for the sizes that come again where graphs are wanted.
  private lazy var recordedNetwork = RecordedFunction(on: device) { [network] in network($0) }
  /// The head's scores of an input.
  private let network: (Tensor) -> Tensor
  private let graphs: Bool

  /// A predictor with the weights that `model` has; with `graphs` a GPU gets the work for images of a
  /// size that came before as a whole, see `RecordedFunction`.
  public convenience init(
    _ model: SegmentationModel, encoding: InputEncoding = .imageNet, device: Device = .cpu,
    precision: DType? = nil, memoryBudget: Int = MemoryBudget.standard,
    oversize: Oversize = .refuse, mode: InferenceMode = InferenceMode(), graphs: Bool = false
  ) {
    self.init(
      model, NetworkForm(cast: precision), encoding: encoding, device: device,
      memoryBudget: memoryBudget, oversize: oversize, mode: mode, graphs: graphs)
  }

  /// The same with a network in some form.
  package init(
    _ model: SegmentationModel, _ form: NetworkForm, encoding: InputEncoding = .imageNet,
    device: Device = .cpu, memoryBudget: Int = MemoryBudget.standard,
    oversize: Oversize = .refuse, mode: InferenceMode = InferenceMode(), graphs: Bool = false
  ) {
    self.graphs = graphs
    self.model = model
    self.encoding = encoding
    self.device = device
    (precision, runner) = (form.cast, form.runner)
    network = { x in
      if let runner = form.runner { return runner(x) }
      return autocast(to: form.cast, on: device) { model.output(x).logits }.to(.float32)
    }
    self.memoryBudget = memoryBudget
    self.oversize = oversize
    self.mode = mode
    let backbone = model.backbone
    stride = max(backbone.strides.max() ?? 1, backbone.minimumSide, backbone.sideMultiple)
  }

  /// What happens to sides that the network cannot take as they are, for the protocol.
  var sides: String {
    let kind = [Padding.zero: "zeros", .reflect: "mirroring"][padding]
    let extended = kind.map { "sides extended to multiples of \(stride) by \($0)" }
    return extended ?? model.backbone.oddSides.map { "sides as they are, \($0)" }
      ?? "sides as they are"
  }

  /// The class of each pixel of an image, at its own size or at `size`.
  ///
  /// - Parameters:
  ///   - image: The image.
  ///   - size: The size of the result; the image's own if nil.
  ///   - file: What messages call the image.
  /// - Throws: ``PredictionError``, and `TorchError` for a network that cannot take the image.
  public func classes(of image: Image, size: Size? = nil, file: String = "image") throws
    -> ClassMask
  {
    try classes(of: image, size: size, file: file, sureness: nil)
  }

  /// As ``classes(of:size:file:)``; `sureness` is filled with what is asked for beside the classes.
  func classes(of image: Image, size: Size?, file: String, sureness: PixelSureness?) throws
    -> ClassMask
  {
    guard image.bands == encoding.bands else {
      throw PredictionError.otherBands(
        file: file, bands: image.bands, expected: encoding.bands)
    }
    let size = size ?? image.size
    guard mode.isPlain else { return try averaged(image, size: size, file: file, sureness) }
    guard needsTiles(image.size) else {
      return try attempt { evaluating { mask(scores(of: image), image.size, size, sureness) } }
    }
    guard oversize == .tile, let side = tileSide(image.size) else {
      throw tooLarge(image.size, file: file)
    }
    // At another size tiles meet between pixels, where windows are averaged.
    guard size == image.size else {
      return try averaged(image, size: size, file: file, sureness)
    }
    return try attempt { evaluating { tiled(image, side: side, sureness) } }
  }

  /// The class of each pixel by the mean over windows, scales and mirror images.
  ///
  /// What the network gave for each is kept at its own coarse size until all are there, which is less
  /// than one sum of all scores at full size takes.
  private func averaged(
    _ image: Image, size: Size, file: String, _ sureness: PixelSureness?
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
            sureness: sureness), size)
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
    let covered = covered(window.size)
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
      axis(first.height, covered.height, $0, window.size.height, image.height, target.height, false)
    }
    var columns = lefts.map {
      axis(first.width, covered.width, $0, window.size.width, image.width, target.width, isMirrored)
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
    // Maps of odd sides have as many cells as those of the next multiple, or fewer.
    let whole = size.roundedUp(toMultipleOf: stride)
    let pixels = Double(whole.width) * Double(whole.height)
    // What operators take for themselves, for other orders and types of their input, is not seen by
    // the probe: on processors up to half as much again, and more where types change on the way.
    let unseen = precision == nil ? 1.5 : 1.9
    let need = unseen * footprint.bytesPerPixel * pixels + 16 * pixels + 0x1p20
    return need < 0x1p62 ? Int(need) : .max
  }

  // MARK: Parts

  /// The image as the network takes it: (1, bands, H, W) in channels-last memory, extended as the mode says.
  package func input(_ image: Image) -> Tensor { input(image.raster) }

  private func input(_ image: Raster) -> Tensor {
    .input(
      image, encoding, extendedTo: padding.extended(image.size, toMultipleOf: stride),
      by: padding
    ).to(device)
  }

  /// What the network's scores of an image cover: the image and what it was extended by.
  func covered(_ size: Size) -> Size {
    let size = padding.extended(size, toMultipleOf: stride)
    let sides = model.coveredSize(height: size.height, width: size.width)
    return Size(width: sides.width, height: sides.height)
  }

  /// The head's own scores (1, classes, H / stride, W / stride) of an image.
  func scores(of image: Image) -> Tensor {
    let x = input(image)
    return graphs ? recordedNetwork(x) : network(x)
  }

  /// The best class of every pixel, of scores that cover an image and what it was extended by.
  private func mask(
    _ scores: Tensor, _ image: Size, _ size: Size, _ sureness: PixelSureness?
  ) -> ClassMask {
    let covered = covered(image)
    func axis(_ cells: Int, _ extent: Int, _ image: Int, _ target: Int) -> GridAxis {
      GridAxis(
        cells: cells, extent: extent, origin: 0, length: image, image: image, target: target,
        alignCorners: model.alignCorners)
    }
    return mask(
      scores, rows: axis(scores.height, covered.height, image.height, size.height),
      columns: axis(scores.width, covered.width, image.width, size.width), size, sureness)
  }

  /// The best class of every pixel of scores that lie so; `sureness` as in
  /// ``classes(of:size:file:sureness:)``.
  func mask(
    _ scores: Tensor, rows: GridAxis, columns: GridAxis, _ size: Size, _ sureness: PixelSureness?
  ) -> ClassMask {
    complete(
      ScoreFusion.classes(
        [PlacedScores(scores, rows: rows, columns: columns)], width: size.width,
        height: size.height, averaging: nil, sureness: sureness), size)
  }

  /// The mask; of nothing if an operator failed, which ``attempt(_:)`` reports.
  private func complete(_ classes: [UInt8], _ size: Size) -> ClassMask {
    classes.count == size.width * size.height
      ? ClassMask(width: size.width, height: size.height, classes: classes)
      : ClassMask(size: size)
  }

  func evaluating<R>(_ body: () throws -> R) rethrows -> R {
    // Going through all modules takes as long as a tenth of a small image.
    guard model.isTraining else { return try inferenceMode(body) }
    model.train(false)
    defer { model.train() }
    return try inferenceMode(body)
  }

  // MARK: Memory

  private func needsTiles(_ size: Size) -> Bool { memoryNeed(size) > memoryBudget }

  private func tooLarge(_ size: Size, file: String) -> PredictionError {
    .tooLarge(file: file, size: size, need: memoryNeed(size), budget: memoryBudget)
  }

  /// What the network makes of an image: the memory that it takes, and the pixels between the cells of its
  /// scores.
  private struct Footprint {
    var bytesPerPixel: Double
    var pixelsPerCell: Double
  }

  /// The pixels between the cells of the network's scores, for images whose sides are multiples.
  var pixelsPerCell: Double { footprint.pixelsPerCell }

  private func measuredFootprint() -> Footprint {
    let side = max(64, 2 * stride) / stride * stride
    var footprint = Footprint(bytesPerPixel: 0, pixelsPerCell: 1)
    evaluating {
      func scores(_ side: Int) -> Tensor {
        let raster = Raster(
          size: Size(width: side, height: side), bands: encoding.bands,
          .uint8([UInt8](repeating: 0, count: side * side * encoding.bands)))
        return network(input(raster))
      }
      // What layers make of their weights at first stays, and is the same for images of any size.
      footprint.pixelsPerCell = Double(side) / Double(max(1, scores(side).height))
      // Where maps of odd sides are fitted to each other there are more of them for a while.
      for side in padding == .unchanged ? [side, side - 1] : [side] {
        let probe = MemoryProbe()
        observing(probe) { _ = scores(side) }
        footprint.bytesPerPixel = max(footprint.bytesPerPixel, Double(probe.peak))
      }
    }
    footprint.bytesPerPixel /= Double(side * side)
    return footprint
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
}
