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
    if let given = x.surroundings, given.whole.size(1) == x.size(1) + room {
      x.surroundings = nil
      whole = given.whole
      (start, end) = (given.start, given.start + x.size(1))
    } else {
      whole = Surroundings.map(x.size(0), x.size(1) + room, x.height, x.width)
    }
  }

  /// Adds `channels` channels after the others, which `make` gives; it may write them to the tensor
  /// that it is given.
  public mutating func append(_ channels: Int, _ make: (Tensor, Tensor?) -> Tensor) {
    grow(channels, atEnd: true, make)
  }

  /// Adds `channels` channels before the others, which `make` gives; it may write them to the
  /// tensor that it is given.
  public mutating func prepend(_ channels: Int, _ make: (Tensor, Tensor?) -> Tensor) {
    grow(channels, atEnd: false, make)
  }

  private mutating func grow(
    _ channels: Int, atEnd: Bool, _ make: (Tensor, Tensor?) -> Tensor
  ) {
    guard let whole else {
      let y = make(tensor, nil)
      tensor = concatenate(atEnd ? [tensor, y] : [y, tensor])
      return
    }
    if start == end {
      start = atEnd ? 0 : room
      end = start + tensor.size(1)
      whole.sliced(1, start, end).assign(tensor)
      tensor = whole.sliced(1, start, end)
    }
    let place = atEnd ? (end, end + channels) : (start - channels, start)
    precondition(place.0 >= 0 && place.1 <= whole.size(1), "more channels than there is room for")
    let destination = whole.sliced(1, place.0, place.1)
    let y = make(tensor, destination)
    if y !== destination { destination.assign(y) }
    (start, end) = (min(start, place.0), max(end, place.1))
    tensor = whole.sliced(1, start, end)
  }
}

/// A map with room for further channels around some.
struct Surroundings {
  /// All channels (N, C, H, W), adjacent in memory.
  let whole: Tensor
  /// Where the map's own begin.
  let start: Int

  private static let map = Operator("map", namespace: "atrous")

  /// A map without values.
  static func map(_ images: Int, _ channels: Int, _ height: Int, _ width: Int) -> Tensor {
    map(images, channels, height, width)
  }
}

/// How many channels will be written around a map.
public struct Room: Sendable {
  /// The channels before it, and those after it.
  public let before: Int, after: Int

  /// Room for so many channels.
  public init(before: Int = 0, after: Int = 0) {
    self.before = before
    self.after = after
  }

  /// A map (images, channels, height, width) without values that a ``GrowingMap`` can grow in; nil
  /// if no room is wanted.
  public func map(_ images: Int, _ channels: Int, _ height: Int, _ width: Int) -> Tensor? {
    guard before + after > 0, images * height * width > 0 else { return nil }
    let whole = Surroundings.map(images, before + channels + after, height, width)
    let map = whole.sliced(1, before, before + channels)
    map.surroundings = Surroundings(whole: whole, start: before)
    return map
  }
}
