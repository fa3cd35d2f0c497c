import Torch

/// Attention within windows of a map, which every second block lays half a window further (Liu et
/// al., 2021, §3.2), with a learned bias for each distance between two positions.
///
/// Names are those of torchvision's `ShiftedWindowAttention`.
final class WindowAttention: Layer {
  let relativePositionBiasTable: Parameter
  let relativePositionIndex: Buffer
  let qkv: Linear, proj: Linear
  private let side: Int, heads: Int, shift: Int
  private let shiftsSmallMaps: Bool

  /// Attention among `window`² positions of `width` features, which `heads` share out among them.
  ///
  /// - Parameters:
  ///   - shift: how far the windows lie from the map's corner.
  ///   - form: whose code decides what happens on maps no larger than a window.
  init(
    _ width: Int, heads: Int, window: Int, shift: Int, hasBias: Bool,
    _ form: HeadForm
  ) {
    relativePositionBiasTable = Parameter(
      Tensor(uninitialized: [(2 * window - 1) * (2 * window - 1), heads]))
    relativePositionIndex = Buffer(
      Tensor(
        Self.distances(window),
        form == .torchvision
          ? [window * window * window * window] : [window * window, window * window]),
      isConstant: true)
    qkv = Linear(width, 3 * width, bias: hasBias)
    proj = Linear(width, width)
    (side, self.heads, self.shift) = (window, heads, shift)
    shiftsSmallMaps = form == .mmsegmentation
    super.init()
    Initialization.normal(relativePositionBiasTable, deviation: 0.02)
  }

  /// For each pair of positions in a window the row of the table that stands for their distance.
  private static func distances(_ window: Int) -> [Int64] {
    let spots = (0..<window * window).map { ($0 / window, $0 % window) }
    return spots.flatMap { a in
      spots.map { b in
        Int64((a.0 - b.0 + window - 1) * (2 * window - 1) + a.1 - b.1 + window - 1)
      }
    }
  }

  /// What each position of the map (N, H, W, width) learns from its window.
  override func forward(_ x: Tensor) -> Tensor {
    let (height, width, channels) = (x.size(1), x.size(2), x.size(3))
    let rows = (height + side - 1) / side * side, columns = (width + side - 1) / side * side
    let shifts = [rows, columns].map { shiftsSmallMaps || $0 > side ? shift : 0 }
    let isShifted = shifts != [0, 0]

    var map = x.padded([0, 0, 0, columns - width, 0, rows - height])
    if isShifted { map = map.rolled(shifts.map { -$0 }, [1, 2]) }
    let windows = map.reshaped(-1, rows / side, side, columns / side, side, channels)
      .permuted(0, 1, 3, 2, 4, 5).reshaped(-1, side * side, channels)

    var mask = bias
    if isShifted {
      // One mask for each window of an image, again for each image of the batch.
      let count = rows / side * (columns / side)
      mask = mask + apart(rows, columns, shifts).to(x.device)
      mask = mask.unsqueezed(0).expanded([x.size(0), count, heads, side * side, side * side])
        .flattened(from: 0, to: 1)
    }
    let seen = proj(attend(qkv(windows).chunks(3, along: -1), heads: heads, mask: mask))

    map = seen.reshaped(-1, rows / side, columns / side, side, side, channels)
      .permuted(0, 1, 3, 2, 4, 5).reshaped(-1, rows, columns, channels)
    if isShifted { map = map.rolled(shifts, [1, 2]) }
    return map.sliced(1, 0, height).sliced(2, 0, width)
  }

  /// The learned bias (1, heads, positions, positions).
  private var bias: Tensor {
    relativePositionBiasTable.indexed(relativePositionIndex.flattened(from: 0))
      .reshaped(1, side * side, side * side, heads).permuted(0, 3, 1, 2)
  }

  /// -100 between positions of a window (windows, 1, positions, positions) that are neighbours only
  /// because the shift wraps around the map's border.
  private func apart(_ rows: Int, _ columns: Int, _ shifts: [Int]) -> Tensor {
    func regions(_ length: Int, _ shift: Int) -> [Float] {
      (0..<length).map { shift == 0 || $0 >= length - shift ? 2 : $0 >= length - side ? 1 : 0 }
    }
    let region =
      Tensor(regions(rows, shifts[0]), [rows, 1]) * 3
      + Tensor(regions(columns, shifts[1]), [1, columns])
    let windows = region.reshaped(rows / side, side, columns / side, side).permuted(0, 2, 1, 3)
      .reshaped(-1, 1, side * side, 1)
    return (windows - windows.transposed(2, 3)).notEqual(to: 0).to(.float32) * -100
  }
}
