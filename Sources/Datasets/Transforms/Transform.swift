import Imaging

/// A change of an image and its mask together, drawn at random where it says so.
///
/// Sizes and positions are in pixels of the picture as the transforms before have left it. Images
/// are resampled bilinearly with half-pixel centres, masks take the nearest pixel by the same
/// centres, so that the two stay aligned. `antialias` widens the filter when shrinking, as Pillow
/// and torchvision do; off, two pixels a direction are blended, as OpenCV and MMSegmentation do.
/// Where a transform leaves a part of the mask empty, it is ignored.
public enum Transform: Sendable, Equatable {
  /// Stretches to exactly this size.
  case resize(Size, antialias: Bool = true)
  /// Scales, keeping proportions, to the largest size that fits into a box.
  ///
  /// As MMSegmentation's `Resize(keep_ratio=True)`: the box's longer side bounds the picture's
  /// longer side and the shorter the shorter, whichever way round the box is given.
  case resizeToFit(Size, antialias: Bool = true)
  /// Scales, keeping proportions, so that the shorter side has this length; the longer side is
  /// rounded down, as torchvision does.
  case resizeShorterSide(Int, antialias: Bool = true)
  /// Scales, keeping proportions, into a box multiplied by a factor drawn uniformly from `ratio`.
  ///
  /// As MMSegmentation's `RandomResize(ratio_range)`; without a box, the picture's own size.
  case randomResize(ratio: ClosedRange<Double>, box: Size? = nil, antialias: Bool = true)
  /// Cuts out a window at a random position, limiting one class's share of its labelled pixels.
  ///
  /// As MMSegmentation's `RandomCrop(cat_max_ratio)`: up to ten positions are tried until the window
  /// holds at least two classes and the commonest has less than `maxClassShare` of the pixels that
  /// are not ignored; if none does, an eleventh is taken as it is. A picture smaller than the window
  /// is kept whole in that direction; follow with `pad`.
  case randomCrop(Size, maxClassShare: Double = 1)
  /// Cuts out the window in the middle, rounding its position down; a smaller picture is kept whole.
  case centerCrop(Size)
  /// Extends to at least this size at the right and at the bottom.
  case pad(to: Size, fill: Fill = .mean)
  /// Extends at the right and at the bottom until both sides are multiples of a number.
  case padToMultiple(of: Int, fill: Fill = .mean)
  /// Mirrors left and right with a probability.
  case horizontalFlip(probability: Double = 0.5)
  /// Mirrors top and bottom with a probability.
  case verticalFlip(probability: Double = 0.5)
  /// Turns about the centre by degrees drawn uniformly, clockwise positive, with a probability; the
  /// size stays.
  case rotation(degrees: ClosedRange<Double>, probability: Double = 0.5, fill: Fill = .mean)
  /// Changes brightness, contrast, saturation and hue, each with probability one half.
  case photometricDistortion(PhotometricDistortion = PhotometricDistortion())
  /// Changes brightness, contrast, saturation and hue in an order drawn at random.
  case colorJitter(ColorJitter)
  /// Raises levels of 0 to 1 to a power drawn uniformly in its logarithm, with a probability.
  case gamma(ClosedRange<Double>, probability: Double = 0.5)
  /// Blurs the image by a Gaussian filter of a standard deviation in pixels, drawn uniformly, with a probability.
  case gaussianBlur(ClosedRange<Double>, probability: Double = 0.5)
  /// Adds noise of a standard deviation in levels of 255, drawn uniformly, with a probability.
  case gaussianNoise(ClosedRange<Double>, probability: Double = 0.5)

  /// Pastes regions of rare classes of other samples; comes before all others.
  ///
  /// A ``Loader`` does it, which knows other samples; a pipeline alone leaves the image as it is.
  case copyPaste(CopyPaste)

  /// What fills the parts of an image where there is no picture.
  public enum Fill: Sendable, Hashable {
    /// The normalisation's mean, rounded to 8 bits: nearly 0 after normalisation.
    case mean
    /// Black, the value 0 before normalisation.
    case black
    /// This colour.
    case color(Color)
  }
}

extension Transform {
  fileprivate var isPaste: Bool { if case .copyPaste = self { true } else { false } }

  /// The sides in pixels that can be asked for.
  package static let sides = 1...65_535
  /// The strengths of a photometric distortion's brightness and hue.
  package static let brightness = 0.0...255, hue = 0.0...90
  /// The strengths of a jitter's hue, in turns of the colour circle.
  package static let turn = 0.0...0.5

  /// Refuses settings that cannot be meant.
  ///
  /// - Throws: `DatasetError.invalidSetting`.
  public func validate() throws {
    func check(_ good: Bool, _ name: String, _ value: some Any, _ expected: String) throws {
      guard good else {
        throw DatasetError.invalidSetting(name: name, value: "\(value)", expected: expected)
      }
    }
    func check(_ size: Size, _ name: String) throws {
      try check(
        Self.sides.contains(size.width) && Self.sides.contains(size.height), name, size.text,
        "at least 1×1, at most 65535×65535")
    }
    func check(probability: Double, _ name: String) throws {
      try check((0...1).contains(probability), name, probability, "0 to 1")
    }
    switch self {
    case .resize(let size, _): try check(size, "the size of resize")
    case .resizeToFit(let box, _): try check(box, "the box of resizeToFit")
    case .resizeShorterSide(let side, _):
      try check(
        Self.sides.contains(side), "the side of resizeShorterSide", side,
        "at least 1, at most 65535")
    case .randomResize(let ratio, let box, _):
      try check(
        ratio.lowerBound > 0 && ratio.upperBound <= 100, "the ratio of randomResize", ratio,
        "above 0, up to 100")
      if let box { try check(box, "the box of randomResize") }
    case .randomCrop(let size, let share):
      try check(size, "the size of randomCrop")
      try check(share > 0 && share <= 1, "maxClassShare of randomCrop", share, "above 0, up to 1")
    case .centerCrop(let size): try check(size, "the size of centerCrop")
    case .pad(let size, _): try check(size, "the size of pad")
    case .padToMultiple(let number, _):
      try check(
        Self.sides.contains(number), "the number of padToMultiple", number,
        "at least 1, at most 65535")
    case .horizontalFlip(let probability):
      try check(probability: probability, "the probability of horizontalFlip")
    case .verticalFlip(let probability):
      try check(probability: probability, "the probability of verticalFlip")
    case .rotation(let degrees, let probability, _):
      try check(
        degrees.lowerBound.isFinite && degrees.upperBound.isFinite, "the degrees of rotation",
        degrees, "finite angles")
      try check(probability: probability, "the probability of rotation")
    case .photometricDistortion(let settings):
      try check(
        Self.brightness.contains(settings.brightness), "the brightness of photometricDistortion",
        settings.brightness, "0 to 255")
      try check(
        settings.contrast.lowerBound >= 0 && settings.contrast.upperBound.isFinite,
        "the contrast of photometricDistortion", settings.contrast, "finite and at least 0")
      try check(
        settings.saturation.lowerBound >= 0 && settings.saturation.upperBound.isFinite,
        "the saturation of photometricDistortion", settings.saturation, "finite and at least 0")
      try check(
        Self.hue.contains(settings.hue), "the hue of photometricDistortion", settings.hue, "0 to 90"
      )
    case .colorJitter(let settings):
      for (name, value) in [
        ("brightness", settings.brightness), ("contrast", settings.contrast),
        ("saturation", settings.saturation),
      ] {
        try check(value >= 0 && value.isFinite, "the \(name) of colorJitter", value, "at least 0")
      }
      try check(
        Self.turn.contains(settings.hue), "the hue of colorJitter", settings.hue, "0 to 0.5")
    case .gamma(let range, let probability):
      try check(
        range.lowerBound >= 0.01 && range.upperBound <= 100, "the range of gamma", range,
        "0.01 to 100")
      try check(probability: probability, "the probability of gamma")
    case .gaussianBlur(let range, let probability):
      try check(
        range.lowerBound > 0 && range.upperBound <= 100, "the range of gaussianBlur", range,
        "above 0, up to 100 pixels")
      try check(probability: probability, "the probability of gaussianBlur")
    case .gaussianNoise(let range, let probability):
      try check(
        range.lowerBound >= 0 && range.upperBound <= 255, "the range of gaussianNoise", range,
        "0 to 255")
      try check(probability: probability, "the probability of gaussianNoise")
    case .copyPaste(let paste):
      try check(!paste.classes.isEmpty, "the classes of copyPaste", paste.classes, "one at least")
      try check(probability: paste.probability, "the probability of copyPaste")
      try check(
        CopyPaste.counts.contains(paste.regions), "the regions of copyPaste", paste.regions,
        "1 to \(CopyPaste.counts.upperBound)")
      try check(
        paste.area.lowerBound >= 0 && paste.area.upperBound <= 1, "the area of copyPaste",
        paste.area,
        "shares of an image, 0 to 1")
      try check(
        paste.scale.lowerBound >= 0.1 && paste.scale.upperBound <= 10, "the scale of copyPaste",
        paste.scale, "factors of 0.1 to 10")
      try check(
        (0...1).contains(paste.shift), "the shift of copyPaste", paste.shift,
        "a share of an image's sides, 0 to 1")
    }
  }
}

/// Transforms in the order in which they are applied.
///
/// Resizes, crops, pads and flips that follow each other are one resampling: only the pixels that
/// survive are computed, from only the source pixels they need.
public struct Pipeline: Sendable, Equatable {
  /// The transforms in order.
  public let transforms: [Transform]
  /// Which labels masks take where they are resized.
  public var labelRule = NearestRule.centre
  /// Whose levels images take where they are resized.
  public var imageRule = ImageResizing.own
  /// Which pixels random crops show; nil for any.
  var focus: CropFocus?

  /// A pipeline of these transforms.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a setting that cannot be meant.
  public init(_ transforms: [Transform]) throws {
    for transform in transforms { try transform.validate() }
    let (pastes, first) = (
      transforms.indices.filter { transforms[$0].isPaste }, transforms.prefix { $0.isPaste }
    )
    if let late = pastes.first(where: { $0 >= first.count }) {
      throw DatasetError.invalidSetting(
        name: "copyPaste", value: "place \(late + 1)",
        expected: "places before all other transforms, as images take regions as they are in files")
    }
    self.transforms = transforms
  }

  private init() { transforms = [] }

  /// The pipeline that changes nothing.
  public static let none = Pipeline()

  /// The same pipeline with another rule for labels.
  public func resizingLabels(by rule: NearestRule) -> Pipeline {
    var pipeline = self
    pipeline.labelRule = rule
    return pipeline
  }

  /// The same pipeline with another rule for images; but for `ImageResizing.own`, what transforms say of `antialias` does not
  /// matter.
  public func resizingImages(by rule: ImageResizing) -> Pipeline {
    var pipeline = self
    pipeline.imageRule = rule
    return pipeline
  }

  /// The same pipeline with crops that show pixels of classes that are drawn.
  func focusingCrops(_ focus: CropFocus?) -> Pipeline {
    var pipeline = self
    pipeline.focus = focus
    return pipeline
  }

  /// What is pasted, in order.
  var pastes: [CopyPaste] {
    transforms.compactMap { if case .copyPaste(let paste) = $0 { paste } else { nil } }
  }

  /// Whether any transform draws at random.
  public var isRandom: Bool {
    transforms.contains {
      switch $0 {
      case .resize, .resizeToFit, .resizeShorterSide, .centerCrop, .pad, .padToMultiple: false
      default: true
      }
    }
  }

  /// The transformed image and mask: a function of them and of the random stream only.
  ///
  /// - Parameters:
  ///   - image: An RGB image, (H, W, 3), or one of levels.
  ///   - mask: Its mask, of the same size.
  ///   - random: The stream; see ``SampleRandom``.
  ///   - mean: The colour that `Fill.mean` stands for; see ``InputEncoding/meanColor``.
  ///   - meanLevels: The same for images of levels; see ``InputEncoding/meanLevels``.
  /// - Returns: Image and mask, of equal size.
  public func callAsFunction(
    _ image: Image, _ mask: ClassMask, random: inout SampleRandom,
    mean: Color = InputEncoding.imageNet.meanColor, meanLevels: [Float] = []
  ) -> (image: Image, mask: ClassMask) {
    precondition(image.channels == 3, "transforms take RGB images")
    precondition(image.size == mask.size, "image and mask differ in size")
    var pending = PendingSample(
      image: image, mask: mask, mean: mean, meanLevels: meanLevels, rule: labelRule,
      imageRule: imageRule, focus: focus)
    for transform in transforms { pending.apply(transform, &random) }
    return pending.finished()
  }
}
