import Torch

/// What figures of nodes are here; see ``ONNXPatterns``.
extension ONNXOperators {
  static let patterns: [String: Rule] = [
    "atrous.gelu": one { $0.gelu() }, "atrous.silu": one { $0.silu() },
    "atrous.hardsigmoid": one { $0.hardsigmoid() },
    "atrous.linear": tensor { step in
      let x = try step.x, weight = try step.tensor(1), bias = step.has(2) ? try step.tensor(2) : nil
      guard x.rank >= 1, weight.rank == 2, x.size(-1) == weight.size(1), x.dtype == weight.dtype
      else {
        throw ONNXRefusal("\(x.shape) and the matrix \(weight.shape) do not fit each other")
      }
      let result = try step.admit(x.shape.dropLast() + [weight.size(0)])
      guard let count = elementCount(result + [x.size(-1)]), count <= step.limits.operations else {
        throw ONNXRefusal("its result of \(result) takes too many multiplications")
      }
      return x.linear(weight, bias: bias)
    },
    "atrous.layernorm": tensor { step in
      let x = try step.x, axis = try step.axis("axis", or: -1, rank: x.rank)
      let length = x.size(axis), eps = try epsilon(step)
      let vectors = try (1...2).map { index -> Tensor? in
        guard step.has(index) else { return nil }
        let vector = try step.tensor(index)
        let rank = vector.rank
        // A vector along the dimension that is normalized, and of one element in those after it.
        let place = rank - (x.rank - axis)
        guard vector.count == length, place >= 0, vector.size(place) == length,
          vector.dtype == x.dtype
        else { throw ONNXRefusal("a parameter of \(vector.shape) does not fit \(x.shape)") }
        return rank == 1 ? vector : vector.reshaped(length)
      }
      guard axis != x.rank - 1 else {
        return x.layerNorm([length], weight: vectors[0], bias: vectors[1], eps: eps)
      }
      let last = x.rank - 1
      var order = Array(0..<x.rank), back = order
      order.append(order.remove(at: axis))
      back.insert(back.remove(at: last), at: axis)
      return x.permuted(order).layerNorm([length], weight: vectors[0], bias: vectors[1], eps: eps)
        .permuted(back)
    },
    "atrous.turn": tensor { step in
      let x = try step.x
      guard x.rank >= 2 else { throw ONNXRefusal("its input is no matrix") }
      return x.transposed(-2, -1)
    },
    "atrous.attention": tensor { step in
      let parts = try (0..<3).map { try step.tensor($0) }
      var mask = step.has(3) ? try step.tensor(3) : nil
      // The windows of an image, again for each image of a batch.
      if let own = mask, own.rank == 4, parts[0].rank == 4, own.size(0) > 1,
        parts[0].size(0) > own.size(0), parts[0].size(0) % own.size(0) == 0
      {
        let times = parts[0].size(0) / own.size(0)
        mask = own.unsqueezed(0).expanded(try step.admit([times] + own.shape))
          .flattened(from: 0, to: 1)
      }
      return try attention(
        step, parts[0], parts[1], parts[2], mask: mask, scale: step.float("scale", or: 1))
    },
    "atrous.windows": tensor { step in
      let shape = step.node.ints("shape") ?? []
      var mask = try step.x
      if step.has(1) {
        var bias = try step.tensor(1)
        if bias.rank == 4, bias.size(0) > 1 {
          guard let windows = shape.first, bias.size(0) % windows == 0 else {
            throw ONNXRefusal("\(bias.shape) has no \(shape) windows")
          }
          bias = bias.reshaped([-1, windows] + bias.shape.dropFirst())
        }
        _ = try step.admit(step.broadcast(mask.shape, bias.shape))
        mask = mask + bias
      }
      let images = mask.rank == 5 ? mask.size(0) : 1
      let whole = [images] + shape
      guard mask.rank <= 5, try step.broadcast(whole, mask.shape) == whole else {
        throw ONNXRefusal("the mask of \(mask.shape) does not fit \(shape)")
      }
      return mask.expanded(try step.admit(whole)).flattened(from: 0, to: 1)
    },
  ]
}
