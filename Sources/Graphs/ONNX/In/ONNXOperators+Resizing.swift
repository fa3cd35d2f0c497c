import Torch

extension Operator {
  fileprivate static let bilinear = Operator("upsample_bilinear2d")
  fileprivate static let bicubic = Operator("upsample_bicubic2d")
  fileprivate static let nearest = Operator("upsample_nearest2d")
}

/// Resizing.
extension ONNXOperators {
  static let resizing: [String: Rule] = [
    "Resize": tensor { step in
      let x = try step.x
      guard x.rank >= 1, x.shape.allSatisfy({ $0 > 0 }) else {
        throw ONNXRefusal("its input is empty")
      }
      return try Resizing(step, x).result
    }
  ]

  /// A resizing on its way to operators.
  private struct Resizing {
    let step: ONNXStep, x: Tensor
    /// The dimensions that change, and how.
    var changes: [(axis: Int, how: ONNXResampling)] = []
    let mode, rule: String
    let coefficient: Double
    let excludesOutside, antialias: Bool

    init(_ step: ONNXStep, _ x: Tensor) throws {
      (self.step, self.x) = (step, x)
      mode = step.string("mode", or: "nearest")
      rule = step.string("nearest_mode", or: "round_prefer_floor")
      coefficient = step.float("cubic_coeff_a", or: -0.75)
      excludesOutside = try step.flag("exclude_outside")
      antialias = try step.flag("antialias")
      let axes =
        try step.node.ints("axes")?.map { try step.axis($0, rank: x.rank) } ?? Array(0..<x.rank)
      guard Set(axes).count == axes.count, coefficient.isFinite else {
        throw ONNXRefusal("its axes \(axes) have one twice")
      }
      let transform = step.string("coordinate_transformation_mode", or: "half_pixel")
      let scales = step.has(2) ? try step.array(2, "its scales").values : []
      let sizes = step.has(3) ? try step.array(3, "its sizes").values : []
      guard scales.isEmpty != sizes.isEmpty, scales.count + sizes.count == axes.count,
        (scales + sizes).allSatisfy({ $0.isFinite && $0 > 0 })
      else { throw ONNXRefusal("its scales \(scales) and sizes \(sizes) do not fit \(x.shape)") }
      let roi = step.has(1) ? step.optional(1)?.array?.values ?? [] : []
      let policy = step.string("keep_aspect_ratio_policy", or: "stretch")
      var common: Double?
      if policy != "stretch", !sizes.isEmpty {
        let ratios = zip(sizes, axes).map { $0 / Double(x.size($1)) }
        common = policy == "not_larger" ? ratios.min() : ratios.max()
      }
      for (index, axis) in axes.enumerated() {
        let from = x.size(axis)
        let scale: Double, to: Double
        if let common {
          (scale, to) = (common, (common * Double(from)).rounded())
        } else if sizes.isEmpty {
          // Scales are single precision, and so is the standard's product.
          scale = scales[index]
          to = Double((Float(scale) * Float(from)).rounded(.down))
        } else {
          (scale, to) = (sizes[index] / Double(from), sizes[index])
        }
        guard to >= 1, to <= Double(ONNXStep.longest) else {
          throw ONNXRefusal("dimension \(axis) of \(x.shape) would have \(to) elements")
        }
        try step.admitNumbers([Int(to)])
        var how = ONNXResampling(from: from, to: Int(to), scale: scale, mode: transform)
        if transform == "tf_crop_and_resize" {
          guard roi.count == 2 * axes.count else { throw ONNXRefusal("its regions are \(roi)") }
          how.part = (roi[index], roi[axes.count + index])
        } else if how.from == how.to && (scale == 1 || !sizes.isEmpty) {
          continue
        }
        changes.append((axis, how))
      }
      var shape = x.shape
      for change in changes { shape[change.axis] = change.how.to }
      try step.admit(shape)
    }

    var result: Tensor {
      get throws {
        guard !changes.isEmpty else { return x }
        if let whole = try ofMaps { return whole }
        if mode == "nearest" {
          return try changes.reduce(x) { x, change in
            try ONNXOperators.picked(ONNXValue(x), change.axis, change.how.nearest(rule), step)
              .tensor
          }
        }
        guard mode == "linear" || mode == "cubic" else { throw ONNXRefusal("mode is '\(mode)'") }
        guard x.dtype.isFloatingPoint else { return try ofLevels }
        return try changes.reduce(x) { try multiplied($0, $1.axis, $1.how) }
      }
    }

    /// Whole numbers, rounded to the nearest (a half to the even one) and kept in their type's range, as the standard's
    /// own evaluation does and OpenVINO; ONNX Runtime cuts fractions off.
    private var ofLevels: Tensor {
      get throws {
        let bounds: [DType: (low: Double, high: Double)] = [
          .uint8: (0, 255), .int8: (-128, 127), .int16: (-32_768, 32_767),
          .int32: (-2_147_483_648, 2_147_483_647),
        ]
        guard let (low, high) = bounds[x.dtype] else {
          throw ONNXRefusal("it interpolates \(x.dtype)")
        }
        let exact = x.to(x.dtype == .int32 ? .float64 : .float32)
        return Operator.round(try Resizing(step, exact).result).clamped(low, high).to(x.dtype)
      }
    }

    /// As one of libtorch's operators on the last two dimensions, where one gives the same.
    private var ofMaps: Tensor? {
      get throws {
        // Maps may lie with their channels last.
        var axes = changes.map(\.axis).sorted()
        guard x.rank == 4, axes.count <= 2, x.dtype.isFloatingPoint else { return nil }
        if axes.count == 1 { axes = axes[0] == 3 ? [2, 3] : axes[0] == 2 ? [2, 3] : [1, 2] }
        guard axes == [2, 3] || axes == [1, 2] else { return nil }
        let order = axes == [2, 3] ? [0, 1, 2, 3] : [0, 3, 1, 2]
        let map = axes == [2, 3] ? x : x.permuted(order)
        guard let result = try resized(map, axes.map(how)) else { return nil }
        return axes == [2, 3] ? result : result.permuted(0, 2, 3, 1)
      }
    }

    private func how(_ axis: Int) -> ONNXResampling {
      let length = x.size(axis)
      return changes.first { $0.axis == axis }?.how
        ?? ONNXResampling(from: length, to: length, scale: 1, mode: "half_pixel")
    }

    private func resized(_ x: Tensor, _ sides: [ONNXResampling]) throws -> Tensor? {
      let size = sides.map(\.to), modes = Set(changes.map(\.how.mode))
      if mode == "nearest" {
        // libtorch's rule: the place at the element's start, rounded down.
        let isSame = try sides.allSatisfy { side in
          let step = Float(side.from) / Float(side.to)
          let own = (0..<side.to).map { min(Int((Float($0) * step).rounded(.down)), side.from - 1) }
          return side.from == side.to ? true : try side.nearest(rule) == own
        }
        return isSame ? Operator.nearest(x, size) : nil
      }
      guard modes.count == 1, !antialias,
        mode == "linear" || coefficient == -0.75 && !excludesOutside
      else { return nil }
      let isAligned = modes == ["align_corners"]
      // With one element libtorch takes the middle, PyTorch's exporter says it takes the first.
      guard isAligned || modes == ["half_pixel"] || modes == ["pytorch_half_pixel"],
        modes != ["pytorch_half_pixel"] || sides.allSatisfy({ $0.to > 1 || $0.from == 1 })
      else { return nil }
      // A scale that gives no whole length is told, as lengths alone would be another.
      let isWhole = sides.allSatisfy { abs($0.scale * Double($0.from) - Double($0.to)) < 1e-4 }
      let scales: [Double?] = isWhole || isAligned ? [nil, nil] : sides.map { $0.scale }
      if excludesOutside && mode == "linear" { return nil }
      return switch mode {
      case "linear": Operator.bilinear(x, size, isAligned, scales[0], scales[1])
      case "cubic": Operator.bicubic(x, size, isAligned, scales[0], scales[1])
      default: nil
      }
    }

    /// One dimension, by a product with a matrix of weights.
    private func multiplied(_ x: Tensor, _ axis: Int, _ how: ONNXResampling) throws -> Tensor {
      try step.admitNumbers([how.from, how.to])
      let isCropped = how.mode == "tf_crop_and_resize"
      let (numbers, outside) = try how.weights(
        cubic: mode == "cubic" ? coefficient : nil, excludesOutside: excludesOutside,
        antialias: antialias, isCropped: isCropped)
      let matrix = Tensor(numbers, [how.to, how.from]).to(x.dtype).to(step.device)
      let last = x.rank - 1
      let turned = axis == last ? x : x.transposed(axis, last)
      var result = turned.matmul(matrix.transposed(0, 1))
      if outside.contains(true) {
        let value = step.float("extrapolation_value", or: 0)
        result = result.filled(with: value, where: Tensor(outside, [how.to]).to(step.device))
      }
      return axis == last ? result : result.transposed(axis, last)
    }
  }
}
