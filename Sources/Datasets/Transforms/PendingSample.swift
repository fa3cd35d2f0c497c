import Foundation
import Imaging

/// An image and its mask with the resizes, crops, pads and flips that are asked for but not yet done.
struct PendingSample {
  private var image: Image
  /// What is transformed in place of the image where it has levels.
  private var levels: Levels?
  private var mask: ClassMask
  private let mean: Color
  private let meanLevels: [Float]
  private var x: Axis
  private var y: Axis
  private var antialias = true
  private var fill: Transform.Fill
  private let rule: NearestRule
  private let imageRule: ImageResizing
  private let focus: CropFocus?

  /// - Parameters:
  ///   - meanLevels: What the mean is in images of levels, for each band.
  ///   - rule: Which labels masks take at other sizes.
  ///   - imageRule: Whose levels images take at other sizes.
  ///   - focus: Which pixels random crops show; nil for any.
  init(
    image: Image, mask: ClassMask, mean: Color, meanLevels: [Float] = [],
    rule: NearestRule = .centre, imageRule: ImageResizing = .own, focus: CropFocus? = nil
  ) {
    self.rule = rule
    self.imageRule = imageRule
    self.focus = focus
    self.image = image
    levels = image.levels
    self.mask = mask
    self.mean = mean
    self.meanLevels = meanLevels
    fill = .mean
    x = Axis(image.width)
    y = Axis(image.height)
  }

  /// The size that the picture has once everything pending is done.
  var size: Size { Size(width: x.count, height: y.count) }

  /// The picture with everything done.
  consuming func finished() -> (image: Image, mask: ClassMask) {
    settle()
    if let levels { image = Image(levels) }
    return (image, mask)
  }

  /// The columns and rows of what is transformed.
  private var source: Size { levels?.size ?? image.size }

  mutating func apply(_ transform: Transform, _ random: inout SampleRandom) {
    switch transform {
    case .resize(let size, let antialias):
      resize(to: size, antialias: antialias)
    case .resizeToFit(let box, let antialias):
      resize(to: size.fitted(into: box), antialias: antialias)
    case .resizeShorterSide(let side, let antialias):
      resize(to: size.scaled(shorterSide: side), antialias: antialias)
    case .randomResize(let ratio, let box, let antialias):
      let factor = random.uniform(ratio)
      let box = box ?? size
      let scaled = Size(
        width: Int(Double(box.width) * factor), height: Int(Double(box.height) * factor))
      resize(to: size.fitted(into: scaled), antialias: antialias)
    case .randomCrop(let window, let share):
      randomCrop(window, maxClassShare: share, &random)
    case .centerCrop(let window):
      let width = min(window.width, size.width)
      let height = min(window.height, size.height)
      x.crop(at: (size.width - width) / 2, count: width)
      y.crop(at: (size.height - height) / 2, count: height)
    case .pad(let target, let fill):
      pad(to: target, fill)
    case .padToMultiple(let number, let fill):
      let up = { (side: Int) in (side + number - 1) / number * number }
      pad(to: Size(width: up(size.width), height: up(size.height)), fill)
    case .horizontalFlip(let probability):
      if random.chance(probability) { x.reversed.toggle() }
    case .verticalFlip(let probability):
      if random.chance(probability) { y.reversed.toggle() }
    case .rotation(let degrees, let probability, let fill):
      let turn = random.chance(probability)
      let angle = random.uniform(degrees)
      guard turn else { return }
      settle()
      if let own = levels {
        let turned = rotated(own, mask, degrees: angle, fill: filling(fill))
        (levels, mask) = (turned.levels, turned.mask)
      } else {
        (image, mask) = rotated(image, mask, degrees: angle, fill: color(of: fill))
      }
    case .photometricDistortion(let settings): change(by: settings, &random)
    case .colorJitter(let settings): change(by: settings, &random)
    case .gamma(let range, let probability):
      let happens = random.chance(probability)
      let exponent = exp(random.uniform(log(range.lowerBound)...log(range.upperBound)))
      if happens { change(by: Gamma(exponent: exponent), &random) }
    case .gaussianBlur(let range, let probability):
      let happens = random.chance(probability)
      let sigma = random.uniform(range)
      if happens { change(by: GaussianBlur(sigma: sigma), &random) }
    case .gaussianNoise(let range, let probability):
      let happens = random.chance(probability)
      let sigma = random.uniform(range)
      if happens { change(by: GaussianNoise(sigma: sigma), &random) }
    case .copyPaste: break  // the loader has done it
    }
  }

  /// Changes the image, not its mask.
  private mutating func change(by change: some ImageChange, _ random: inout SampleRandom) {
    settle()
    if var own = levels {
      change.apply(to: &own, &random)
      levels = own
    } else {
      change.apply(to: &image, &random)
    }
  }

  private func color(of fill: Transform.Fill) -> Color {
    switch fill {
    case .mean: mean
    case .black: Color(0, 0, 0)
    case .color(let color): color
    }
  }

  /// What fills images of levels, for each band.
  private func filling(_ fill: Transform.Fill) -> [Float] {
    let bands = levels?.bands ?? 3
    switch fill {
    case .mean where meanLevels.count == bands: return meanLevels
    case .black: return [Float](repeating: 0, count: bands)
    case .mean, .color:
      let color = color(of: fill)
      let parts = [Float(color.red), Float(color.green), Float(color.blue)]
      return (0..<bands).map { parts[$0 % 3] }
    }
  }

  private mutating func resize(to target: Size, antialias: Bool) {
    guard target != size else { return }
    settle()
    x = Axis(source.width, scaledTo: target.width, rule: rule)
    y = Axis(source.height, scaledTo: target.height, rule: rule)
    self.antialias = antialias
  }

  private mutating func pad(to target: Size, _ fill: Transform.Fill) {
    guard target.width > size.width || target.height > size.height else { return }
    if x.isPadded || y.isPadded, color(of: fill) != color(of: self.fill) { settle() }
    self.fill = fill
    x.pad(after: max(target.width - x.count, 0))
    y.pad(after: max(target.height - y.count, 0))
  }

  private mutating func randomCrop(
    _ window: Size, maxClassShare: Double, _ random: inout SampleRandom
  ) {
    let width = min(window.width, size.width)
    let height = min(window.height, size.height)
    let pixel = focus.flatMap { $0.pixel(of: mask, x: x, y: y, &random) }
    /// Where a window starts, which holds a place if there is one.
    func start(_ all: Int, _ count: Int, _ place: Int?) -> Int {
      let low = place.map { max($0 - count + 1, 0) } ?? 0
      let high = place.map { min($0, all - count) } ?? all - count
      return low + random.integer(below: high - low + 1)
    }
    func draw() -> (Axis, Axis) {
      var column = x
      var row = y
      row.crop(at: start(size.height, height, pixel?.y), count: height)
      column.crop(at: start(size.width, width, pixel?.x), count: width)
      return (column, row)
    }
    var chosen = draw()
    if maxClassShare < 1 {
      for _ in 0..<10 where !isMixed(chosen, maxClassShare) { chosen = draw() }
    }
    (x, y) = chosen
  }

  /// Whether the window holds two classes or more, the commonest below a share of the labelled.
  private func isMixed(_ window: (x: Axis, y: Axis), _ share: Double) -> Bool {
    let counts = countClasses(mask, x: window.x, y: window.y)
    var total = 0
    var largest = 0
    var present = 0
    for (index, count) in counts.enumerated() where index != Int(LabelMap.ignored) && count > 0 {
      total += count
      largest = max(largest, count)
      present += 1
    }
    return present > 1 && Double(largest) / Double(total) < share
  }

  /// Does what is pending.
  private mutating func settle() {
    guard !(x.isIdentity && y.isIdentity) else { return }
    let antialias = imageRule.antialias ?? antialias
    if let own = levels {
      levels = resampled(
        own, x: x, y: y, antialias: antialias, fill: filling(fill), rule: imageRule)
    } else {
      image = resampled(
        image, x: x, y: y, antialias: antialias, fill: color(of: fill), rule: imageRule)
    }
    mask = resampled(mask, x: x, y: y)
    x = Axis(source.width)
    y = Axis(source.height)
    fill = .mean
  }
}

extension Size {
  /// MMCV's `rescale_size`: the largest size of these proportions whose longer side is at most the
  /// box's longer and whose shorter side is at most the box's shorter, rounded to nearest.
  func fitted(into box: Size) -> Size {
    let factor = min(
      Double(max(box.width, box.height)) / Double(max(width, height)),
      Double(min(box.width, box.height)) / Double(min(width, height)))
    return Size(
      width: max(Int(Double(width) * factor + 0.5), 1),
      height: max(Int(Double(height) * factor + 0.5), 1))
  }

  /// The size of these proportions with this shorter side, the longer rounded down.
  func scaled(shorterSide side: Int) -> Size {
    width <= height
      ? Size(width: side, height: side * height / width)
      : Size(width: side * width / height, height: side)
  }
}
