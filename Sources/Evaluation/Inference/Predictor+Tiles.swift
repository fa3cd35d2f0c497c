import Datasets
import Imaging
import Segmentation
import Torch

extension Predictor {
  /// Predicts square by square; each sees a margin that is not kept.
  ///
  /// All squares are of one size but for those at the right and the bottom of an image whose sides are no
  /// multiples of the stride: libtorch keeps memory for every size that it has seen. They begin at
  /// multiples of it, so that their cells are those of the whole image.
  func tiled(_ image: Image, side: Int, _ sureness: PixelSureness?) -> ClassMask {
    let margin = max(side / 8 / stride, 1) * stride
    let core = side - 2 * margin
    let end = image.size.roundedUp(toMultipleOf: stride)
    let whole = covered(image.size)
    var result = ClassMask(size: image.size, filledWith: 0)
    sureness?.begin(width: image.width, height: image.height, classes: model.classes)
    let own = sureness?.empty
    var cells: (rows: Float, columns: Float)?
    // From the last on, as it says how many cells the image has.
    for top in Swift.stride(from: 0, to: image.height, by: core).reversed() {
      for left in Swift.stride(from: 0, to: image.width, by: core).reversed() {
        let x0 = max(min(left - margin, end.width - side), 0)
        let y0 = max(min(top - margin, end.height - side), 0)
        let size = Size(
          width: min(side, image.width - x0), height: min(side, image.height - y0))
        let scores = scores(of: image.cropped(x: x0, y: y0, size: size))
        let (row, column) = (Double(y0) / pixelsPerCell, Double(x0) / pixelsPerCell)
        let all = cells ?? (Float(row) + Float(scores.height), Float(column) + Float(scores.width))
        cells = all
        func axis(_ cells: Int, _ length: Int, _ part: GridAxis.Part) -> GridAxis {
          GridAxis(
            cells: cells, extent: length, origin: 0, length: length, image: length, target: length,
            alignCorners: model.alignCorners, part: part)
        }
        let mask = mask(
          scores,
          rows: axis(
            scores.height, size.height,
            .init(pixel: y0, cell: Float(row), cells: all.rows, extent: whole.height)),
          columns: axis(
            scores.width, size.width,
            .init(pixel: x0, cell: Float(column), cells: all.columns, extent: whole.width)), size,
          own)
        MemoryBudget.release()
        for y in top..<min(top + core, image.height) {
          let (from, to) = ((y - y0) * size.width - x0, y * image.width)
          for x in left..<min(left + core, image.width) {
            result.classes[to + x] = mask.classes[from + x]
          }
          if let sureness, let own {
            sureness.copy(
              own, from: from + left, to: to + left, min(core, image.width - left),
              pixels: (image.width * image.height, size.width * size.height))
          }
        }
      }
    }
    return result
  }
}
