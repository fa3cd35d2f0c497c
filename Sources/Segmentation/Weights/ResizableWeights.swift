import Torch

/// A module with parameters whose shape follows the image's size, or a window's, and which weights of
/// another size are resized for.
protocol ResizableWeights: Module {
  /// What makes the parameter `name` of a tensor of `shape`; nil if nothing does.
  func resizing(_ name: String, from shape: [Int]) -> ((Tensor) -> Tensor)?
}

extension VisionTransformer: ResizableWeights {
  /// Position embeddings (1, 1 + rows · columns, width) for a square grid are resized as images.
  func resizing(_ name: String, from shape: [Int]) -> ((Tensor) -> Tensor)? {
    guard name == "encoder.pos_embedding", shape.count == 3, shape[0] == 1,
      shape[2] == configuration.width, let side = squareRoot(shape[1] - 1)
    else { return nil }
    let (rows, columns) = configuration.grid
    return { [interpolation = configuration.interpolation] tokens in
      let grid = tokens.sliced(1, 1, shape[1]).transposed(1, 2)
        .reshaped(1, shape[2], side, side)
        .resized(height: rows, width: columns, interpolation)
      return concatenate(
        [tokens.sliced(1, 0, 1), grid.flattened(from: 2).transposed(1, 2)], along: 1)
    }
  }
}

extension WindowAttention: ResizableWeights {
  /// Tables of relative positions ((2 · side − 1)², heads) are resized as images of the distances.
  func resizing(_ name: String, from shape: [Int]) -> ((Tensor) -> Tensor)? {
    let own = relativePositionBiasTable.shape
    guard name == "relative_position_bias_table", shape.count == 2, shape[1] == own[1],
      let side = squareRoot(shape[0]), let ownSide = squareRoot(own[0])
    else { return nil }
    return { table in
      table.transposed(0, 1).reshaped(1, shape[1], side, side)
        .resized(height: ownSide, width: ownSide, .bicubic)
        .reshaped(shape[1], own[0]).transposed(0, 1)
    }
  }
}

/// The whole number whose square is `number`, if there is one above 0.
private func squareRoot(_ number: Int) -> Int? {
  guard number > 0 else { return nil }
  let root = Int(Double(number).squareRoot().rounded())
  return root.multipliedReportingOverflow(by: root) == (number, false) ? root : nil
}
