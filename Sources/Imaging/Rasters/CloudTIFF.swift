import Files

/// Tiles as a cloud-optimized GeoTIFF: all directories first, then the tiles of the smallest copy, those of
/// the image last.
///
/// TIFF 6.0; BigTIFF where four bytes cannot tell all places. The layout is that of OGC 21-026, "OGC Cloud
/// Optimized GeoTIFF Standard".
struct CloudTIFF {
  private let levels: [(size: Size, spool: TileSpool)]
  private let content: TiledResult.Content
  private let place: GeoReference?

  /// A file of an image and its reduced copies, each half the size of the one before.
  init(
    _ levels: [(size: Size, spool: TileSpool)], _ content: TiledResult.Content,
    _ place: GeoReference?
  ) {
    (self.levels, self.content, self.place) = (levels, content, place)
  }

  /// Writes the file, which takes its name when it is whole.
  ///
  /// - Throws: ``WriteError``.
  func write(to path: String) throws {
    let data = levels.reduce(0) { $0 + $1.spool.lengths.reduce(0, +) }
    let tiles = levels.reduce(0) { $0 + $1.spool.count }
    let isBig = data + 64 * tiles + (1 << 20) > Int(UInt32.max)
    // The directories' length does not depend on the places that they tell.
    let length = head(isBig, places: levels.map { [Int](repeating: 0, count: $0.spool.count) })
      .count
    var at = length
    var places = levels.map { _ in [Int]() }
    for index in levels.indices.reversed() {
      for bytes in levels[index].spool.lengths {
        places[index].append(at)
        at += bytes
      }
    }
    try AtomicFile.write(path) { file in
      try file.append(head(isBig, places: places))
      for level in levels.reversed() {
        for index in 0..<level.spool.count { try file.append(level.spool.block(index)) }
      }
    }
  }

  /// The header and all directories.
  private func head(_ isBig: Bool, places: [[Int]]) -> [UInt8] {
    var bytes: [UInt8] = Array("II".utf8)
    if isBig {
      bytes += Entry.bytes(43, 2) + Entry.bytes(8, 2) + Entry.bytes(0, 2) + Entry.bytes(16, 8)
    } else {
      bytes += Entry.bytes(42, 2) + Entry.bytes(8, 4)
    }
    for index in levels.indices {
      append(
        entries(index, places[index], isBig), to: &bytes, isBig: isBig,
        isLast: index == levels.count - 1)
    }
    return bytes
  }

  /// Appends a directory and what does not fit into its entries.
  private func append(
    _ entries: [Entry], to bytes: inout [UInt8], isBig: Bool, isLast: Bool
  ) {
    let word = isBig ? 8 : 4
    let size = (isBig ? 8 : 2) + entries.count * (4 + 2 * word) + word
    var (rest, after) = ([UInt8](), bytes.count + size)
    var directory = Entry.bytes(entries.count, isBig ? 8 : 2)
    for entry in entries {
      directory += Entry.bytes(entry.tag, 2) + Entry.bytes(entry.type.rawValue, 2)
      directory += Entry.bytes(entry.count, word)
      if entry.values.count <= word {
        directory += entry.values + [UInt8](repeating: 0, count: word - entry.values.count)
      } else {
        directory += Entry.bytes(after, word)
        // Places are even.
        let values = entry.values + (entry.values.count % 2 == 0 ? [] : [0])
        rest += values
        after += values.count
      }
    }
    bytes += directory + Entry.bytes(isLast ? 0 : after, word) + rest
  }

  private func entries(_ level: Int, _ places: [Int], _ isBig: Bool) -> [Entry] {
    let (size, spool) = levels[level]
    let bands = content.bands
    var entries: [Entry] = [
      .longs(254, [level == 0 ? 0 : 1]), .longs(256, [size.width]), .longs(257, [size.height]),
      .shorts(258, [Int](repeating: content.bits, count: bands)), .shorts(259, [8]),
      .shorts(277, [bands]),
      .shorts(284, [1]), .text(305, "Atrous"), .longs(322, [TiledResult.side]),
      .longs(323, [TiledResult.side]),
      isBig ? .places(324, places) : .longs(324, places), .longs(325, spool.lengths),
      .shorts(339, [Int](repeating: 1, count: bands)),
    ]
    switch content {
    case .labels(let palette, let missing):
      let colors = (0..<256).map { palette.indices.contains($0) ? palette[$0] : Color(0, 0, 0) }
      entries.append(.shorts(262, [3]))
      entries.append(
        .shorts(
          320,
          colors.map { Int($0.red) * 257 } + colors.map { Int($0.green) * 257 }
            + colors.map { Int($0.blue) * 257 }))
      entries.append(.text(42_113, "\(missing)"))
    case .shares:
      entries.append(.shorts(262, [1]))
      if bands > 1 { entries.append(.shorts(338, [Int](repeating: 0, count: bands - 1))) }
    }
    if level == 0 {
      for tag in place?.geoTags ?? [] {
        switch tag.value {
        case .shorts(let values): entries.append(.shorts(Int(tag.number), values.map { Int($0) }))
        case .doubles(let values): entries.append(.doubles(Int(tag.number), values))
        case .text(let text): entries.append(.text(Int(tag.number), text))
        }
      }
    }
    return entries.sorted { $0.tag < $1.tag }
  }

  /// An entry of a directory.
  private struct Entry {
    enum Kind: Int { case text = 2, short = 3, long = 4, double = 12, long8 = 16 }
    let tag: Int
    let type: Kind
    let count: Int
    let values: [UInt8]

    static func shorts(_ tag: Int, _ values: [Int]) -> Entry {
      Entry(tag: tag, type: .short, count: values.count, values: values.flatMap { bytes($0, 2) })
    }
    static func longs(_ tag: Int, _ values: [Int]) -> Entry {
      Entry(tag: tag, type: .long, count: values.count, values: values.flatMap { bytes($0, 4) })
    }
    static func places(_ tag: Int, _ values: [Int]) -> Entry {
      Entry(tag: tag, type: .long8, count: values.count, values: values.flatMap { bytes($0, 8) })
    }
    static func doubles(_ tag: Int, _ values: [Double]) -> Entry {
      Entry(
        tag: tag, type: .double, count: values.count,
        values: values.flatMap { bytes(Int(bitPattern: UInt($0.bitPattern)), 8) })
    }
    static func text(_ tag: Int, _ text: String) -> Entry {
      let values = Array(text.utf8) + [0]
      return Entry(tag: tag, type: .text, count: values.count, values: values)
    }

    /// A number in so many bytes, the lowest first.
    static func bytes(_ number: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
  }
}
