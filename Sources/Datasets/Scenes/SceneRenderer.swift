import Imaging

/// Renders street scenes from nothing but a seed: for every index another street, with the label of
/// each pixel.
///
/// The streets are seen from a car: road and pavement run to the horizon between houses, walls,
/// fences and trees, with traffic and people at every scale. Colours and surfaces come from ranges
/// that classes share, so that form and surroundings tell them apart. The pictures depend on seed,
/// index and size alone; machines and thread counts give the same bytes, as only exactly rounded
/// arithmetic is used.
public struct SceneRenderer: Sendable {
  /// A rendered scene.
  public struct Scene: Sendable {
    /// The picture, RGB.
    public let image: Image
    /// The official Cityscapes label ids.
    public let labels: LabelImage
    /// As in Cityscapes' instance files: id · 1000 + number where single things are told apart,
    /// the label id elsewhere.
    public let instances: LabelImage
  }

  /// What all scenes follow from.
  public let seed: UInt64
  /// The pictures' size in pixels.
  public let size: Size

  /// Sizes from 16 × 16 to 4096 × 4096 can be rendered.
  public static let sizes = 16...4096

  /// Every pixel is the mean of this many by this many samples.
  private static let samples = 2

  /// - Throws: ``DatasetError`` if the size is not among ``sizes``.
  public init(seed: UInt64, size: Size) throws {
    guard Self.sizes.contains(size.width), Self.sizes.contains(size.height) else {
      throw DatasetError.invalidSetting(
        name: "the scenes' size", value: size.text,
        expected: "\(Self.sizes.lowerBound) to \(Self.sizes.upperBound) pixels each way")
    }
    self.seed = seed
    self.size = size
  }

  /// The scene of this index.
  public func render(_ index: Int) -> Scene {
    var dice = Dice(seed: seed, index: index)
    let width = size.width * Self.samples, height = size.height * Self.samples
    let camera = Camera(
      height: dice(1.3, 2.1), focal: Float(width) * dice(0.95, 1.2),
      centerX: Float(width) * dice(0.42, 0.58), horizon: Float(height) * dice(0.4, 0.54))
    let light = Lighting(&dice)
    let canvas = Canvas(width: width, height: height, camera: camera, light: light)
    canvas.sky(&dice)
    let street = Street(dice.fork())
    canvas.ground(of: street, dice.fork())
    canvas.shadows(of: street)
    for thing in street.things.sorted(by: { $0.distance > $1.distance }) { thing.paint(canvas) }
    if dice.chance(0.3) { canvas.bonnet(&dice) }
    return develop(canvas, Film(&dice))
  }

  /// Averages the samples and turns light into pixels.
  private func develop(_ canvas: Canvas, _ film: Film) -> Scene {
    let n = Self.samples, count = size.width * size.height
    var pixels: [UInt8] = []
    var labels: [UInt16] = [], instances: [UInt16] = []
    pixels.reserveCapacity(count * 3)
    labels.reserveCapacity(count)
    instances.reserveCapacity(count)
    for y in 0..<size.height {
      for x in 0..<size.width {
        var sum = RGB(0)
        var owner: UInt16 = 0, most = 0
        for sample in 0..<n * n {
          let index = (y * n + sample / n) * canvas.width + x * n + sample % n
          sum = sum + canvas.colors[index]
          // A pixel belongs to what most of its samples show; the first of those if several do.
          var votes = 0
          for other in 0..<n * n {
            let place = (y * n + other / n) * canvas.width + x * n + other % n
            votes += canvas.owners[place] == canvas.owners[index] ? 1 : 0
          }
          if votes > most { (owner, most) = (canvas.owners[index], votes) }
        }
        let (r, g, b) = film.expose(sum * (1 / Float(n * n)), x, y)
        pixels.append(r)
        pixels.append(g)
        pixels.append(b)
        let (label, instance) = canvas.table[Int(owner)]
        labels.append(label.rawValue)
        instances.append(
          label.hasInstances ? label.rawValue * 1000 + min(instance, 999) : label.rawValue)
      }
    }
    return Scene(
      image: Image(width: size.width, height: size.height, pixels: pixels),
      labels: LabelImage(width: size.width, height: size.height, values: labels),
      instances: LabelImage(width: size.width, height: size.height, values: instances))
  }
}

/// How a camera turns light into pixels: exposure, colour cast and noise.
private struct Film {
  private let gain: RGB
  private let noise: Float
  private let seed: UInt32

  init(_ dice: inout Dice) {
    gain = RGB(dice(0.94, 1.06), 1, dice(0.92, 1.08)) * dice(0.6, 1.15)
    noise = dice(0.006, 0.025)
    seed = dice.seed()
  }

  func expose(_ light: RGB, _ x: Int, _ y: Int) -> (UInt8, UInt8, UInt8) {
    func component(_ value: Float, _ gain: Float, _ channel: UInt32) -> UInt8 {
      let speck =
        hash(Int32(x), Int32(y), seed &+ channel) + hash(Int32(y), Int32(x), seed &+ channel &+ 7)
        - 1
      let tone = max(0, value * gain).squareRoot() + speck * noise * 1.7
      return UInt8(max(0, min(255, tone * 255 + 0.5)))
    }
    return (
      component(light.r, gain.r, 0), component(light.g, gain.g, 100),
      component(light.b, gain.b, 200)
    )
  }
}
