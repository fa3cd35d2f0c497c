import Imaging

/// The photometric distortion of SSD and of MMSegmentation's recipes.
///
/// Each of the four changes happens with probability one half: brightness, an offset; contrast, a
/// factor, either at this place or, just as often, at the end; saturation, a factor on S in HSV; hue,
/// a shift of H. Levels are clipped to 0 to 255 and rounded after brightness and after contrast;
/// saturation and hue are exact in between, where the original rounds to OpenCV's 8-bit HSV, so that
/// single levels differ from it.
///
/// Liu et al., "SSD: Single Shot MultiBox Detector", 2016; MMSegmentation's `PhotoMetricDistortion`.
public struct PhotometricDistortion: Sendable, Hashable {
  /// The largest brightness offset, in levels of 255.
  public var brightness: Double
  /// The range of the contrast factor.
  public var contrast: ClosedRange<Double>
  /// The range of the saturation factor.
  public var saturation: ClosedRange<Double>
  /// The largest hue shift in OpenCV's unit of 2°: 18 is a tenth of the colour circle.
  public var hue: Double

  /// A distortion of these strengths; the defaults are those of the recipes.
  public init(
    brightness: Double = 32, contrast: ClosedRange<Double> = 0.5...1.5,
    saturation: ClosedRange<Double> = 0.5...1.5, hue: Double = 18
  ) {
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
  }

  func apply(to image: inout Image, _ random: inout SampleRandom) {
    let offset = random.chance(0.5) ? random.uniform(-brightness...brightness) : nil
    let contrastFirst = random.chance(0.5)
    let contrast = random.chance(0.5) ? random.uniform(contrast) : nil
    let saturation = random.chance(0.5) ? random.uniform(saturation) : nil
    let hue = random.chance(0.5) ? random.uniform(-hue...hue) : nil

    var before = LevelTable()
    if let offset { before.map { $0 + offset } }
    if let contrast, contrastFirst { before.map { $0 * contrast } }
    var after = LevelTable()
    if let contrast, !contrastFirst { after.map { $0 * contrast } }
    guard saturation != nil || hue != nil else {
      before.append(after)
      before.apply(to: &image)
      return
    }
    changeColor(
      of: &image, before: before, after: after, saturation: Float(saturation ?? 1),
      sextants: hue.map { Float($0 / 30) } ?? 0)
  }
}

/// Torchvision's `ColorJitter`: brightness, contrast, saturation and hue in an order drawn at random.
///
/// Brightness multiplies; contrast blends with the mean of the grey image; saturation blends with the
/// grey image (0.2989 R + 0.587 G + 0.114 B); hue shifts H. A strength s stands for a factor drawn
/// from max(0, 1 − s) ... 1 + s, and for the hue from −s ... s turns of the circle. Levels are clipped
/// and rounded after every step.
public struct ColorJitter: Sendable, Hashable {
  /// The strength of the change of brightness.
  public var brightness: Double
  /// The strength of the change of contrast.
  public var contrast: Double
  /// The strength of the change of saturation.
  public var saturation: Double
  /// The strength of the change of hue, 0 to 0.5 turns.
  public var hue: Double

  /// A jitter of these strengths; 0 leaves a property alone.
  public init(
    brightness: Double = 0, contrast: Double = 0, saturation: Double = 0, hue: Double = 0
  ) {
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
  }

  /// The steps in the order drawn, each with its factor: brightness 0, contrast 1, saturation 2, and hue 3
  /// with its turns.
  func drawn(_ random: inout SampleRandom) -> [(step: Int, factor: Double)] {
    var order = [0, 1, 2, 3]
    for i in [3, 2, 1] { order.swapAt(i, random.integer(below: i + 1)) }
    func factor(_ strength: Double) -> Double {
      random.uniform(max(0, 1 - strength)...(1 + strength))
    }
    var factors = [factor(brightness), factor(contrast), factor(saturation)]
    factors.append(random.uniform(-hue...hue))
    return order.map { ($0, factors[$0]) }
  }

  func apply(to image: inout Image, _ random: inout SampleRandom) {
    for (step, factor) in drawn(&random) {
      switch step {
      case 0 where brightness > 0:
        var levels = LevelTable()
        levels.map { $0 * factor }
        levels.apply(to: &image)
      case 1 where contrast > 0:
        let mean = meanGray(of: image)
        var levels = LevelTable()
        levels.map { $0 * factor + mean * (1 - factor) }
        levels.apply(to: &image)
      case 2 where saturation > 0:
        blendWithGray(&image, factor: Float(factor))
      case 3 where hue > 0:
        changeColor(
          of: &image, before: LevelTable(), after: LevelTable(), saturation: 1,
          sextants: Float(factor * 6))
      default: break
      }
    }
  }
}

/// A function of one 8-bit level, as a table.
struct LevelTable {
  private(set) var table: [UInt8] = (0...255).map { UInt8($0) }
  private(set) var isIdentity = true

  /// Follows the table by `change`, clipped to 0 to 255 and rounded.
  mutating func map(_ change: (Double) -> Double) {
    for i in 0..<256 {
      table[i] = UInt8(min(max(change(Double(table[i])), 0), 255).rounded())
    }
    isIdentity = false
  }

  /// Follows the table by another.
  mutating func append(_ other: LevelTable) {
    guard !other.isIdentity else { return }
    for i in 0..<256 { table[i] = other.table[Int(table[i])] }
    isIdentity = false
  }

  func apply(to image: inout Image) {
    guard !isIdentity else { return }
    image.pixels.withUnsafeMutableBufferPointer { pixels in
      table.withUnsafeBufferPointer { table in
        for i in 0..<pixels.count { pixels[i] = table[Int(pixels[i])] }
      }
    }
  }
}

/// The mean of 0.2989 R + 0.587 G + 0.114 B over the image.
func meanGray(of image: Image) -> Double {
  var red: UInt64 = 0
  var green: UInt64 = 0
  var blue: UInt64 = 0
  image.pixels.withUnsafeBufferPointer { pixels in
    for i in stride(from: 0, to: pixels.count, by: 3) {
      red &+= UInt64(pixels[i])
      green &+= UInt64(pixels[i + 1])
      blue &+= UInt64(pixels[i + 2])
    }
  }
  let count = Double(max(image.pixels.count / 3, 1))
  return (0.2989 * Double(red) + 0.587 * Double(green) + 0.114 * Double(blue)) / count
}

/// Blends with the grey image, 0.2989 R + 0.587 G + 0.114 B.
func blendWithGray(_ image: inout Image, factor: Float) {
  let rest = 1 - factor
  inPlanes(of: &image, before: LevelTable(), after: LevelTable()) { red, green, blue, count in
    for i in 0..<count {
      let (r, g, b) = (red[i], green[i], blue[i])
      let gray = (0.2989 * r + 0.587 * g + 0.114 * b) * rest
      red[i] = larger(smaller(r * factor + gray, 255), 0)
      green[i] = larger(smaller(g * factor + gray, 255), 0)
      blue[i] = larger(smaller(b * factor + gray, 255), 0)
    }
  }
}

/// Multiplies S and shifts H, in HSV, between two tables of levels, in one pass.
///
/// With V the largest component and C = V − min, a component is V − C·f(H). Multiplying S by k, up to
/// S = 1, multiplies C by min(k, V / C) and leaves V and H alone.
func changeColor(
  of image: inout Image, before: LevelTable, after: LevelTable, saturation: Float, sextants: Float
) {
  let shift = sextants < 0 ? sextants + 6 : sextants
  inPlanes(of: &image, before: before, after: after) { red, green, blue, count in
    if saturation != 1 { saturate(red, green, blue, count, saturation) }
    if shift != 0 { turnHue(red, green, blue, count, shift) }
  }
}

/// Calls `body` with blocks of the red, green and blue levels, which it changes within 0 to 255.
///
/// In planes the arithmetic is the same for neighbours and the compiler vectorises it; blocks stay in
/// the nearest cache.
@inline(__always)
private func inPlanes(
  of image: inout Image, before: LevelTable, after: LevelTable,
  _ body: (
    UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, Int
  ) -> Void
) {
  let block = 256
  withUnsafeTemporaryAllocation(of: Float.self, capacity: block * 3) { scratch in
    guard let red = scratch.baseAddress else { return }
    let green = red + block
    let blue = green + block
    image.pixels.withUnsafeMutableBufferPointer { pixels in
      before.table.withUnsafeBufferPointer { before in
        after.table.withUnsafeBufferPointer { after in
          guard var at = pixels.baseAddress else { return }
          var left = pixels.count / 3
          while left > 0 {
            let count = min(left, block)
            for i in 0..<count {
              red[i] = Float(before[Int(at[i * 3])])
              green[i] = Float(before[Int(at[i * 3 + 1])])
              blue[i] = Float(before[Int(at[i * 3 + 2])])
            }
            body(red, green, blue, count)
            for i in 0..<count {
              at[i * 3] = after[Int((red[i] + roundingOffset).bitPattern & 255)]
              at[i * 3 + 1] = after[Int((green[i] + roundingOffset).bitPattern & 255)]
              at[i * 3 + 2] = after[Int((blue[i] + roundingOffset).bitPattern & 255)]
            }
            at += count * 3
            left -= count
          }
        }
      }
    }
  }
}

private func saturate(
  _ red: UnsafeMutablePointer<Float>, _ green: UnsafeMutablePointer<Float>,
  _ blue: UnsafeMutablePointer<Float>, _ count: Int, _ factor: Float
) {
  for i in 0..<count { saturate(&red[i], &green[i], &blue[i], factor) }
}

@inline(__always)
func saturate(_ red: inout Float, _ green: inout Float, _ blue: inout Float, _ factor: Float) {
  let (r, g, b) = (red, green, blue)
  let value = larger(larger(r, g), b)
  let chroma = value - smaller(smaller(r, g), b)
  let limit = value / larger(chroma, 0x1p-10)
  let k = smaller(factor, limit)
  red = larger(value - (value - r) * k, 0)
  green = larger(value - (value - g) * k, 0)
  blue = larger(value - (value - b) * k, 0)
}

private func turnHue(
  _ red: UnsafeMutablePointer<Float>, _ green: UnsafeMutablePointer<Float>,
  _ blue: UnsafeMutablePointer<Float>, _ count: Int, _ sextants: Float
) {
  for i in 0..<count { turnHue(&red[i], &green[i], &blue[i], sextants) }
}

@inline(__always)
func turnHue(_ red: inout Float, _ green: inout Float, _ blue: inout Float, _ sextants: Float) {
  let (r, g, b) = (red, green, blue)
  let value = larger(larger(r, g), b)
  let chroma = value - smaller(smaller(r, g), b)
  let inverse = 1 / larger(chroma, 0x1p-10)
  let fromRed = (g - b) * inverse
  let fromGreen = (b - r) * inverse + 2
  let fromBlue = (r - g) * inverse + 4
  // −1 ... 5 and the shift, 0 ... 6.
  let hue = (value == r ? fromRed : value == g ? fromGreen : fromBlue) + sextants
  red = value - chroma * hexagon(hue + 5)
  green = value - chroma * hexagon(hue + 3)
  blue = value - chroma * hexagon(hue + 1)
}

/// How far a component lies below V, in units of C, at a position 0 to 18 on the hexagon.
@inline(__always)
private func hexagon(_ position: Float) -> Float {
  let once = position >= 12 ? position - 12 : position
  let k = once >= 6 ? once - 6 : once
  return larger(smaller(smaller(k, 4 - k), 1), 0)
}

@inline(__always) private func larger(_ a: Float, _ b: Float) -> Float { a > b ? a : b }
@inline(__always) private func smaller(_ a: Float, _ b: Float) -> Float { a < b ? a : b }
