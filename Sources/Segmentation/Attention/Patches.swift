import Torch

/// Each patch through one matrix to a position of the map (N, H, W, width), normalized.
final class Patches: Sequential {
  init(_ input: Int, _ width: Int, side: Int) {
    super.init {
      Conv2d(input, width, kernel: side, stride: side, padding: 0)
      Function { $0.permuted(0, 2, 3, 1) }
      LayerNorm(width)
    }
  }
}

extension Patches: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "0" ? "projection" : "norm" }
}

extension Tensor {
  /// Images (N, C, H, W) with zeros at the right and at the bottom, to multiples of `step`.
  func extended(toMultipleOf step: Int) -> Tensor {
    let (rows, columns) = ((step - height % step) % step, (step - width % step) % step)
    return rows == 0 && columns == 0 ? self : padded([0, columns, 0, rows])
  }
}
