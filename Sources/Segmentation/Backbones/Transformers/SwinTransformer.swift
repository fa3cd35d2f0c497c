import Configuration
import Torch

/// A Swin Transformer (Liu et al., 2021): attention within windows that shift from block to block.
///
/// Names are those of torchvision's `swin_*`.
public final class SwinTransformer: Layer, Backbone {
  /// What makes one Swin Transformer different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels of the first stage, which each later one doubles.
    public var width = 96
    /// The blocks of each stage.
    public var depths = [2, 2, 6, 2]
    /// The heads of each stage.
    public var heads = [3, 6, 12, 24]
    /// The side of a window in tokens.
    public var window = 7
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate = 0.2

    /// A network of these sizes.
    public init(
      width: Int = 96, depths: [Int] = [2, 2, 6, 2], heads: [Int] = [3, 6, 12, 24],
      dropRate: Double = 0.2
    ) {
      (self.width, self.depths, self.heads, self.dropRate) = (width, depths, heads, dropRate)
    }

    /// The networks that torchvision calls so.
    public static let named: [String: Configuration] = [
      "swin_t": .init(),
      "swin_s": .init(depths: [2, 2, 18, 2], dropRate: 0.3),
      "swin_b": .init(width: 128, depths: [2, 2, 18, 2], heads: [4, 8, 16, 32], dropRate: 0.5),
    ]
  }

  let layers: Sequential
  let norm: LayerNorm?
  /// The channels of each stage.
  public let channels: [Int]
  /// The output stride of each stage.
  public let strides: [Int]

  public override var keys: [String: String] { ["layers": "features"] }

  /// The network without its classifier; `cut` keeps that many stages, without the last normalization.
  public init(
    _ configuration: Configuration = .init(), cut: Int? = nil, inputChannels: Int = 3
  ) {
    let (count, window) = (configuration.depths.count, configuration.window)
    let last = configuration.depths.reduce(-1, +)
    let kept = cut ?? count
    channels = (0..<kept).map { configuration.width << $0 }
    strides = (0..<kept).map { 4 << $0 }
    norm = kept == count ? LayerNorm(configuration.width << (count - 1)) : nil
    layers = Sequential {
      Sequential {
        Conv2d(inputChannels, configuration.width, kernel: 4, stride: 4, padding: 0)
        Function { $0.permuted(0, 2, 3, 1) }
        LayerNorm(configuration.width)
      }
    }
    var block = 0
    for (index, depth) in configuration.depths.prefix(kept).enumerated() {
      if index > 0 { layers.append(PatchMerging(channels[index - 1])) }
      let stage = Sequential()
      for number in 0..<depth {
        let attention = WindowAttention(
          channels[index], heads: configuration.heads[index], window: window,
          shift: number.isMultiple(of: 2) ? 0 : window / 2)
        stage.append(
          TransformerBlock(
            channels[index], attention, eps: 1e-5,
            dropRate: configuration.dropRate * Double(block) / Double(max(1, last)),
            names: ["attention": "attn", "expand": "mlp.0", "project": "mlp.3"]))
        block += 1
      }
      layers.append(stage)
    }
    super.init()
    Initialization.normal(self, deviation: 0.02)
  }

  /// The outputs of the stages (N, C, H, W), the last normalized where the network is whole.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = layers[0](x)
    var maps = stride(from: 1, to: layers.count, by: 2).map { stage in
      if stage > 1 { x = layers[stage - 1](x) }
      x = layers[stage](x)
      return x
    }
    if let norm, let last = maps.popLast() { maps.append(norm(last)) }
    return maps.map { $0.permuted(0, 3, 1, 2) }
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// Each stage with the merging before it; the last with the normalization.
  public var stages: [[Module]] {
    let starts = Array(stride(from: 1, to: layers.count, by: 2))
    return starts.map { stage in
      [layers[stage - 1], layers[stage]] + (stage == starts.last ? [norm].compactMap { $0 } : [])
    }
  }

  /// One patch; windows and merged patches are extended where they have to be.
  public var minimumSide: Int { 4 }
}

/// Four neighbours as one token of twice the channels.
private final class PatchMerging: Layer {
  let reduction: Linear
  let norm: LayerNorm

  init(_ width: Int) {
    reduction = Linear(4 * width, 2 * width, bias: false)
    norm = LayerNorm(4 * width)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let (rows, columns) = (x.size(1), x.size(2))
    let whole =
      rows.isMultiple(of: 2) && columns.isMultiple(of: 2)
      ? x : x.padded([0, 0, 0, columns % 2, 0, rows % 2])
    func every(_ row: Int, _ column: Int) -> Tensor {
      whole.sliced(1, row, whole.size(1), step: 2).sliced(2, column, whole.size(2), step: 2)
    }
    return reduction(
      norm(concatenate([every(0, 0), every(1, 0), every(0, 1), every(1, 1)], along: 3)))
  }
}

/// Attention within windows, which may be shifted by half their side, with a bias for each distance.
private final class WindowAttention: Layer {
  let relativePositionBiasTable: Parameter
  let relativePositionIndex: Buffer
  let qkv: Linear, proj: Linear
  private let heads: Int, window: Int, shift: Int

  init(_ width: Int, heads: Int, window: Int, shift: Int) {
    let reach = 2 * window - 1
    relativePositionBiasTable = Parameter(Tensor(uninitialized: [reach * reach, heads]))
    let places = (0..<window * window).map { (row: $0 / window, column: $0 % window) }
    let index = places.flatMap { a in
      places.map { b in
        Int64((a.row - b.row + window - 1) * reach + a.column - b.column + window - 1)
      }
    }
    relativePositionIndex = Buffer(Tensor(index))
    qkv = Linear(width, 3 * width)
    proj = Linear(width, width)
    (self.heads, self.window, self.shift) = (heads, window, shift)
    super.init()
    Initialization.normal(relativePositionBiasTable, deviation: 0.02)
  }

  /// Tokens in their places (N, H, W, C).
  override func forward(_ x: Tensor) -> Tensor {
    let (rows, columns) = (x.size(1), x.size(2))
    func missing(_ side: Int) -> Int { (window - side % window) % window }
    let (right, bottom) = (missing(columns), missing(rows))
    var y = right + bottom == 0 ? x : x.padded([0, 0, 0, right, 0, bottom])
    let (height, width) = (y.size(1), y.size(2))
    // A map of one window has nothing to shift.
    let shifts = [height, width].map { $0 > window ? shift : 0 }
    if shifts != [0, 0] { y = y.rolled(shifts.map { -$0 }, [1, 2]) }

    let tokens = windows(of: y)
    let bias = relativePositionBiasTable.entries(0, relativePositionIndex)
      .reshaped(1, window * window, window * window, heads).permuted(0, 3, 1, 2)
    let mask = shifts == [0, 0] ? bias : bias + strangers(height, width, shifts, like: y)
    let images = x.size(0), perImage = tokens.size(0) / max(1, images)
    let values = attended(
      qkv(tokens), heads: heads,
      mask: mask.size(0) == 1
        ? mask
        : mask.unsqueezed(0).expanded([images] + mask.shape)
          .reshaped([images * perImage] + mask.shape.dropFirst()))

    var z = proj(values).reshaped(images, height / window, width / window, window, window, -1)
      .permuted(0, 1, 3, 2, 4, 5).reshaped(images, height, width, -1)
    if shifts != [0, 0] { z = z.rolled(shifts, [1, 2]) }
    return z.sliced(1, 0, rows).sliced(2, 0, columns)
  }

  /// The tokens of each window (N · windows, window², C).
  private func windows(of x: Tensor) -> Tensor {
    x.reshaped(x.size(0), x.size(1) / window, window, x.size(2) / window, window, x.size(3))
      .permuted(0, 1, 3, 2, 4, 5).reshaped(-1, window * window, x.size(3))
  }

  /// -100 between tokens that only the shift brought into one window (windows, 1, T, T).
  private func strangers(_ height: Int, _ width: Int, _ shifts: [Int], like x: Tensor) -> Tensor {
    func region(_ place: Int, _ side: Int, _ shift: Int) -> Int {
      place < side - window ? 0 : place < side - shift ? 1 : 2
    }
    let regions = (0..<height).flatMap { row in
      (0..<width).map { column in
        Float(3 * region(row, height, shifts[0]) + region(column, width, shifts[1]))
      }
    }
    let tokens = windows(of: Tensor(regions, [1, height, width, 1])).squeezed(2)
    let apart = (tokens.unsqueezed(1) - tokens.unsqueezed(2)).notEqual(to: 0)
    return (apart.to(.float32) * -100).unsqueezed(1).to(x.device).to(x.dtype)
  }
}

extension SwinTransformer {
  /// `swin_t`, `swin_s` and `swin_b`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [32]) { options, section in
      var configuration = configuration
      configuration.dropRate = try section.double(
        "dropRate", default: configuration.dropRate, in: 0...0.99)
      return SwinTransformer(
        configuration, cut: try section.optionalInt("cut", in: 1...4),
        inputChannels: options.inputChannels)
    }
  }
}
