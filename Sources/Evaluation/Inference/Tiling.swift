import Imaging

/// How an image that is larger than memory is cut into windows that overlap.
///
/// Blocks of `step` pixels a side cover the image. The window of a block reaches `overlap` pixels further to the
/// right and down, where it is blended with its neighbours, and sees `context` pixels more on every side.
package struct Tiling: Sendable, Hashable, CustomStringConvertible {
  /// The side of blocks; a multiple of the side of a result's tiles.
  package let step: Int
  /// The pixels that neighbours are blended over.
  package let overlap: Int
  /// The further pixels that a window sees on every side.
  package let context: Int
  /// Windows begin at multiples of this, so that their cells are those of the whole image.
  package let alignment: Int

  /// A tiling whose overlap is a share of its step; both and the context become multiples of `alignment`.
  package init(step: Int, overlap share: Double, alignment: Int) {
    func up(_ length: Double) -> Int {
      (Int(length.rounded(.up)) + alignment - 1) / alignment * alignment
    }
    self.step = step
    self.alignment = alignment
    overlap = min(up(Double(step) * share), step)
    context = up(Double(step) * share / 2)
  }

  /// The side of the windows.
  package var side: Int {
    // Windows of blocks that do not begin at multiples begin at the one before.
    let spare = step % alignment == 0 ? 0 : alignment - 1
    return (step + overlap + 2 * context + spare + alignment - 1) / alignment * alignment
  }

  /// The tiling in words that differ for different ones.
  package var description: String {
    "step \(step) overlap \(overlap) context \(context) of \(alignment)"
  }

  /// The blocks along a side of an image: the last reaches to its end.
  package func blocks(_ length: Int) -> [Range<Int>] {
    (0..<count(length)).map { block($0, of: length) }
  }

  /// The number of blocks along a side.
  private func count(_ length: Int) -> Int { max(1, (length - overlap + step - 1) / step) }

  /// A block along a side.
  private func block(_ index: Int, of length: Int) -> Range<Int> {
    index * step..<(index == count(length) - 1 ? length : (index + 1) * step)
  }

  /// What the window of a block sees of an image of `size`.
  package func window(row: Int, column: Int, of size: Size) -> PixelWindow {
    let y = seen(block(row, of: size.height), of: size.height)
    let x = seen(block(column, of: size.width), of: size.width)
    return PixelWindow(
      x: x.lowerBound, y: y.lowerBound, size: Size(width: x.count, height: y.count))
  }

  /// What the window of a block sees along a side.
  func seen(_ block: Range<Int>, of length: Int) -> Range<Int> {
    let end = (length + alignment - 1) / alignment * alignment
    let first = min(max(block.lowerBound - context, 0), max(end - side, 0)) / alignment * alignment
    return first..<min(first + side, length)
  }
}
