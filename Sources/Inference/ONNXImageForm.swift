import Graphs
import Imaging
import Torch

/// How a file's network takes images and gives scores, found by its input's type and shape and by running it on
/// shapes alone.
struct ONNXImageForm {
  /// The size that it takes; nil for any.
  let size: Size?
  /// What sides have to be multiples of, and the least side, one of those, that the network takes.
  let multiple: Int, least: Int
  /// The pixels between the cells of its scores.
  let stride: Int
  /// The classes; a network that gives one score has two, the background and what is scored.
  let classes: Int
  /// Whether the network takes levels of 8 bits instead of normalized numbers.
  var takesLevels: Bool { dtype == .uint8 }
  private let dtype: DType
  private let takesBandsLast: Bool, givesBandsLast: Bool
  private let isSingle: Bool

  /// The numbers that sides are tried as multiples of: powers of 2, and patches of vision transformers.
  private static let multiples = [1, 2, 4, 8, 16, 32, 64, 128, 14, 28, 56, 112, 224]

  /// - Throws: `ONNXError` for a network that takes no single image of three bands, or gives no scores.
  init(_ network: ONNXNetwork) throws {
    func unsupported(_ found: String, _ expected: String) -> ONNXError {
      .unsupported(file: network.file, found: found, expected: expected)
    }
    let shape = network.input.shape
    dtype = network.input.dtype
    guard [.float32, .float64, .float16, .uint8].contains(dtype), shape.count == 4 else {
      throw unsupported(
        "an input of \(dtype) \(network.inputText)",
        "numbers or 8-bit levels of four dimensions: images, bands, rows and columns")
    }
    guard shape[0] ?? 1 == 1 else {
      throw unsupported("\(shape[0] ?? 0) images at once", "one, or any number")
    }
    takesBandsLast = shape[1] != 3 && shape[3] == 3
    guard takesBandsLast || shape[1] ?? 3 == 3 else {
      throw unsupported(
        "an input of \(network.inputText)", "images of three bands: red, green and blue")
    }
    let (height, width) = takesBandsLast ? (shape[1], shape[2]) : (shape[2], shape[3])
    let declared: Size?
    if let height, let width {
      guard height <= 65_535, width <= 65_535 else {
        throw unsupported("images of \(width)×\(height)", "sides up to 65535")
      }
      declared = Size(width: width, height: height)
    } else if height == nil && width == nil {
      declared = nil
    } else {
      throw unsupported("an input of \(network.inputText)", "both sides free, or both fixed")
    }

    let dtype = dtype, takesBandsLast = takesBandsLast
    func run(_ height: Int, _ width: Int) throws -> [Int] {
      try shapesOfMaps {
        let image = Tensor(
          withoutMemory: takesBandsLast ? [1, height, width, 3] : [1, 3, height, width], dtype)
        let result = try withoutGradients { try network.run(image) }
        guard result.dtype.isFloatingPoint else {
          throw unsupported(
            "a result of \(result.dtype) \(result.shape) without scores before it",
            "scores of each class")
        }
        return result.shape
      }
    }
    /// Refuses masks of queries, whose classes another result has: in three dimensions, for as many queries.
    func checkClasses(_ count: Int) throws {
      let queries = network.results.first { result in
        guard result.name != network.output, let shape = result.shape, shape.count == 3 else {
          return false
        }
        return shape[1] == count || shape[1] == nil && result.name.contains("quer")
      }
      if let queries {
        throw unsupported(
          "masks of \(count) queries, whose classes '\(queries.name)' has,"
            + " as MaskFormer's, Mask2Former's and EoMT's", "scores of each class")
      }
    }
    var first: (any Error)?, found: (multiple: Int, stride: Int, Scores)?
    for multiple in Self.multiples where declared == nil && found == nil {
      do {
        // Sides of different lengths that are no multiples of twice the number.
        let sides = (
          multiple * (2 * (130 / (2 * multiple)) + 1), multiple * (2 * (200 / (2 * multiple)) + 3)
        )
        let result = try run(sides.0, sides.1)
        let scores = try Self.sides(
          result, sides.0, sides.1, preferringBandsLast: takesBandsLast, file: network.file)
        let stride = max(1, (sides.0 + scores.height - 1) / scores.height)
        let isWhole = { (side: Int, cells: Int) in cells == (side + stride - 1) / stride }
        guard isWhole(sides.0, scores.height), isWhole(sides.1, scores.width) else { continue }
        // Where a rest is cut off a short side, its cells may also be those of a larger stride; of a long one they are not.
        let long = 2048 / multiple * multiple
        if stride > 1, let shape = try? run(long, sides.1),
          let own = try? Self.sides(
            shape, long, sides.1, preferringBandsLast: takesBandsLast, file: network.file),
          !isWhole(long, own.height)
        {
          continue
        }
        found = (multiple, stride, scores)
      } catch {
        if first == nil { first = error }
      }
    }
    // Exporters leave an example's lengths in files whose sides they declare free.
    size =
      declared
      ?? (found == nil
        ? Self.onlySize { height, width in
          _ = try Self.sides(
            try run(height, width), height, width, preferringBandsLast: takesBandsLast,
            file: network.file)
        } : nil)
    if let size {
      let result = try run(size.height, size.width)
      let scores = try Self.sides(
        result, size.height, size.width, preferringBandsLast: takesBandsLast, file: network.file)
      (classes, givesBandsLast, isSingle) = (
        max(2, scores.classes), scores.areBandsLast, scores.classes == 1
      )
      (stride, multiple) = (max(1, (size.height + scores.height - 1) / scores.height), 1)
      least = 1
      try checkClasses(scores.classes)
      return
    }
    guard let found else {
      throw first
        ?? unsupported("scores of another size than the image's", "one score for some pixels each")
    }
    (multiple, stride) = (found.multiple, found.stride)
    least = Self.least(found.multiple) { side in
      let result = try run(side, side)
      _ = try Self.sides(
        result, side, side, preferringBandsLast: takesBandsLast, file: network.file)
    }
    (classes, givesBandsLast, isSingle) = (
      max(2, found.2.classes), found.2.areBandsLast, found.2.classes == 1
    )
    try checkClasses(found.2.classes)
  }

  /// The sizes that networks are usually written for: squares, and some others.
  private static let usualSizes: [Size] =
    Set((1...32).map { 32 * $0 } + (4...73).map { 14 * $0 }).sorted().map {
      Size(width: $0, height: $0)
    }
    + [(640, 480), (480, 640), (512, 384), (768, 512), (1024, 512), (1280, 720), (2048, 1024)].map {
      Size(width: $0.0, height: $0.1)
    }

  /// The one usual size that `run` takes, or the least where all others are larger by a rest only, which patches leave
  /// out; nil for none or several.
  private static func onlySize(_ run: (_ height: Int, _ width: Int) throws -> Void) -> Size? {
    var found: Size?
    for size in usualSizes where (try? run(size.height, size.width)) != nil {
      if let found {
        guard (0..<32).contains(size.height - found.height),
          (0..<32).contains(size.width - found.width)
        else { return nil }
      } else {
        found = size
      }
    }
    return found
  }

  /// The least multiple of a number that `run` takes as an image's side: windows and poolings on small maps may need
  /// more than the number itself.
  private static func least(_ multiple: Int, _ run: (Int) throws -> Void) -> Int {
    func isTaken(_ count: Int) -> Bool { (try? run(count * multiple)) != nil }
    // Twice as large until it is taken; images of about 130 pixels are.
    var high = 1
    while high * multiple < 256, !isTaken(high) { high *= 2 }
    var low = high / 2
    while high - low > 1 {
      let middle = (low + high) / 2
      if isTaken(middle) { high = middle } else { low = middle }
    }
    return high * multiple
  }

  private typealias Scores = (classes: Int, height: Int, width: Int, areBandsLast: Bool)

  /// The classes and the sides of scores of an image.
  private static func sides(
    _ shape: [Int], _ height: Int, _ width: Int, preferringBandsLast: Bool, file: String
  ) throws -> Scores {
    guard shape.count == 4, shape[0] == 1, shape.allSatisfy({ $0 > 0 }) else {
      throw ONNXError.unsupported(
        file: file, found: "a result of \(shape)", expected: "scores of each class: four dimensions"
      )
    }
    /// How far the sides are from those of the image, as a share.
    func error(_ rows: Int, _ columns: Int) -> Double {
      abs(Double(rows) / Double(columns) * Double(width) / Double(height) - 1)
    }
    let planar = error(shape[2], shape[3]), last = error(shape[1], shape[2])
    let areBandsLast = abs(planar - last) < 1e-9 ? preferringBandsLast : last < planar
    let scores: Scores =
      areBandsLast
      ? (shape[3], shape[1], shape[2], true) : (shape[1], shape[2], shape[3], false)
    guard scores.height <= height + 128, scores.width <= width + 128, scores.classes <= 255 else {
      throw ONNXError.unsupported(
        file: file, found: "a result of \(shape)", expected: "scores of up to 255 classes")
    }
    return scores
  }

  /// An image (N, 3, H, W) as the file's network takes it; levels of 8 bits are in multiples of 255.
  func input(_ image: Tensor) -> Tensor {
    let ordered = takesBandsLast ? image.permuted(0, 2, 3, 1) : image
    return takesLevels ? (ordered * 255 + 0.5).clamped(0, 255).to(.uint8) : ordered.to(dtype)
  }

  /// The network's result as scores (N, classes, h, w).
  func scores(of result: Tensor) -> Tensor {
    let planar = (givesBandsLast ? result.permuted(0, 3, 1, 2) : result).to(.float32)
    // Of one score s the classes' shares are those of 0 and s.
    return isSingle ? concatenate([planar.zerosLike(), planar], along: 1) : planar
  }
}
