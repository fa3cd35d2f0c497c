import Datasets

/// How often each value of one label file meets each value of another.
///
/// Files are counted as they stand, and what the values mean is looked up afterwards, once for each
/// pair that occurs instead of for each pixel.
struct ValuePairs {
  /// (256, 256): values of the first file by values of the second.
  private var counts = [Int32](repeating: 0, count: 1 << 16)

  /// Counts the pixels of two files of as many, fewer than 2³¹.
  init(_ first: [UInt8], _ second: [UInt8]) {
    precondition(first.count == second.count, "files of different sizes")
    // Two tables: one count does not wait for the one before.
    var others = counts
    counts.withUnsafeMutableBufferPointer { even in
      others.withUnsafeMutableBufferPointer { odd in
        first.withUnsafeBytes { first in
          second.withUnsafeBytes { second in
            let ones: UInt64 = 0x0101_0101_0101_0101
            let last = first.count
            var i = 0
            while i &+ 8 <= last {
              let a = first.loadUnaligned(fromByteOffset: i, as: UInt64.self)
              let b = second.loadUnaligned(fromByteOffset: i, as: UInt64.self)
              // Runs of one pair are long in real masks.
              if a == (a & 0xFF) &* ones && b == (b & 0xFF) &* ones {
                even[Int(truncatingIfNeeded: (a & 0xFF) << 8 | b & 0xFF)] &+= 8
              } else {
                var (a, b) = (a, b)
                for _ in 0..<4 {
                  even[Int(truncatingIfNeeded: (a & 0xFF) << 8 | b & 0xFF)] &+= 1
                  odd[Int(truncatingIfNeeded: a & 0xFF00 | b >> 8 & 0xFF)] &+= 1
                  a >>= 16
                  b >>= 16
                }
              }
              i &+= 8
            }
            while i < last {
              even[Int(first[i]) << 8 | Int(second[i])] &+= 1
              i &+= 1
            }
          }
        }
      }
    }
    for i in counts.indices { counts[i] &+= others[i] }
  }

  /// The pairs in the classes of `map`; nil if it does not list a value that occurs.
  func confusion(_ map: LabelMap) -> ConfusionMatrix? {
    let classes = (0...255).map { map.index(of: $0) }
    var matrix = ConfusionMatrix(classes: map.count)
    for (cell, count) in counts.enumerated() where count > 0 {
      guard let truth = classes[cell >> 8], let prediction = classes[cell & 255] else { return nil }
      matrix.add(Int64(count), truth: truth, prediction: prediction)
    }
    return matrix
  }
}
