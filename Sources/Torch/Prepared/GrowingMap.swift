/// A feature map to which layers add channels, each seeing all before it.
///
/// In a prepared network the channels are written once, into memory with room for all; otherwise
/// every step is a concatenation, as autograd needs it.
public struct GrowingMap {
  /// All channels so far (N, C, H, W).
  public private(set) var tensor: Tensor
  private let room: Int
  private var whole: Tensor?
  private var start = 0, end = 0

  /// A map that begins as `x` and grows by `room` channels at most, inside of `module`.
  public init(_ x: Tensor, room: Int, for module: Module) {
    tensor = x
    self.room = room
    guard module.runsPrepared(x), x.rank == 4, x.count > 0 else { return }
    whole = Tensor(uninitialized: [x.size(0), x.height, x.width, x.size(1) + room])
      .permuted(0, 3, 1, 2)
  }

  /// Adds channels after the others.
  public mutating func append(_ y: Tensor) { grow(y, atEnd: true) }

  /// Adds channels before the others.
  public mutating func prepend(_ y: Tensor) { grow(y, atEnd: false) }

  private mutating func grow(_ y: Tensor, atEnd: Bool) {
    guard let whole else {
      tensor = concatenate(atEnd ? [tensor, y] : [y, tensor])
      return
    }
    if start == end {
      start = atEnd ? 0 : room
      end = start + tensor.size(1)
      whole.sliced(1, start, end).assign(tensor)
    }
    let place = atEnd ? (end, end + y.size(1)) : (start - y.size(1), start)
    precondition(place.0 >= 0 && place.1 <= whole.size(1), "more channels than there is room for")
    whole.sliced(1, place.0, place.1).assign(y)
    (start, end) = (min(start, place.0), max(end, place.1))
    tensor = whole.sliced(1, start, end)
  }
}
