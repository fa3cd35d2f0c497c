import Torch

/// How one of our tensors is made of a file's: which tensors, and what is done to them.
///
/// A name alone is the simplest. What else there is loses nothing, and but for what is folded has a way
/// back, so that the same recipe writes files of the other toolkit.
public indirect enum WeightRecipe: Sendable, Equatable {
  /// The tensor of this name.
  case tensor(String)
  /// Several along the first dimension, such as queries, keys and values; `shares` are their parts of the
  /// whole.
  case joined([WeightRecipe], shares: [Int])
  /// The inputs (the second dimension) in blocks of another order.
  ///
  /// `sizes` are those of their blocks: none for blocks of one size, 0 for what the others leave. `order`
  /// says which of their blocks each of ours is.
  case inputs(WeightRecipe, sizes: [Int], order: [Int])
  /// The dimensions in another order: ours are theirs at these places.
  case permuted(WeightRecipe, [Int])
  /// A matrix (outputs, inputs) as a 1×1 kernel.
  case kernel(WeightRecipe)
  /// The first less the second: a running mean less the bias before the normalization.
  case difference(WeightRecipe, WeightRecipe)
  /// A number for each output of another tensor, where theirs has no such parameter.
  case constant(Double, outputsOf: WeightRecipe)

  /// Tensors of one size, one after another.
  static func joined(_ parts: [String]) -> WeightRecipe {
    .joined(parts.map { .tensor($0) }, shares: parts.map { _ in 1 })
  }

  /// The names of the tensors that it takes, in order.
  public var names: [String] {
    switch self {
    case .tensor(let name): [name]
    case .joined(let parts, _): parts.flatMap(\.names)
    case .difference(let a, let b): a.names + b.names
    case .inputs(let part, _, _), .permuted(let part, _), .kernel(let part),
      .constant(_, let part):
      part.names
    }
  }

  /// The name, where nothing is done to the tensor.
  var plainName: String? { if case .tensor(let name) = self { name } else { nil } }

  /// The same of tensors whose names have something before them.
  package func after(_ prefix: String) -> WeightRecipe { renamed { prefix + $0 } }

  /// The same of tensors of other names.
  func renamed(_ rename: (String) -> String) -> WeightRecipe {
    switch self {
    case .tensor(let name): .tensor(rename(name))
    case .joined(let parts, let shares):
      .joined(parts.map { $0.renamed(rename) }, shares: shares)
    case .inputs(let part, let sizes, let order):
      .inputs(part.renamed(rename), sizes: sizes, order: order)
    case .permuted(let part, let axes): .permuted(part.renamed(rename), axes)
    case .kernel(let part): .kernel(part.renamed(rename))
    case .difference(let a, let b): .difference(a.renamed(rename), b.renamed(rename))
    case .constant(let value, let part): .constant(value, outputsOf: part.renamed(rename))
    }
  }
}

extension WeightRecipe: CustomStringConvertible {
  /// The recipe in words: `query + key + value`, `fuse.weight, inputs in blocks 3 2 1 0`.
  public var description: String {
    switch self {
    case .tensor(let name): name
    case .joined(let parts, _): parts.map(\.description).joined(separator: " + ")
    case .inputs(let part, _, let order):
      "\(part), inputs in blocks \(order.map(String.init).joined(separator: " "))"
    case .permuted(let part, let axes):
      "\(part), dimensions \(axes.map(String.init).joined(separator: " "))"
    case .kernel(let part): part.description
    case .difference(let a, let b): "\(a) − \(b)"
    case .constant(let value, _): "\(value)"
    }
  }
}

extension WeightRecipe {
  /// The shape of what it makes of tensors of these shapes; nil where one is missing or they do not fit.
  package func shape(_ shapes: (String) -> [Int]?) -> [Int]? {
    switch self {
    case .tensor(let name): return shapes(name)
    case .joined(let parts, _):
      let all = parts.compactMap { $0.shape(shapes) }
      guard all.count == parts.count, let first = all.first, !first.isEmpty,
        all.allSatisfy({ $0.dropFirst() == first.dropFirst() })
      else { return nil }
      return [all.reduce(0) { $0 + $1[0] }] + first.dropFirst()
    case .inputs(let part, let sizes, let order):
      guard let shape = part.shape(shapes), shape.count > 1,
        Self.blocks(sizes, order, of: shape[1]) != nil
      else { return nil }
      return shape
    case .permuted(let part, let axes):
      guard let shape = part.shape(shapes), axes.sorted() == Array(shape.indices) else {
        return nil
      }
      return axes.map { shape[$0] }
    case .kernel(let part):
      guard let shape = part.shape(shapes) else { return nil }
      return shape.count == 2 ? shape + [1, 1] : shape
    case .difference(let a, let b):
      guard let shape = a.shape(shapes), shape == b.shape(shapes) else { return nil }
      return shape
    case .constant(_, let part): return part.shape(shapes)?.first.map { [$0] }
    }
  }

  /// What it makes of the tensors that `tensor` gives, whose shapes fit.
  package func value(_ tensor: (String) throws -> Tensor) throws -> Tensor {
    switch self {
    case .tensor(let name): return try tensor(name)
    case .joined(let parts, _):
      let tensors = try parts.map { try $0.value(tensor) }
      return concatenate(tensors, along: 0)
    case .inputs(let part, let sizes, let order):
      let whole = try part.value(tensor)
      guard let blocks = Self.blocks(sizes, order, of: whole.size(1)) else { return whole }
      return concatenate(
        order.map { whole.sliced(1, blocks[$0].lowerBound, blocks[$0].upperBound) }, along: 1)
    case .permuted(let part, let axes):
      return try part.value(tensor).permuted(axes)
    case .kernel(let part):
      let matrix = try part.value(tensor)
      return matrix.rank == 2 ? matrix.reshaped(matrix.shape + [1, 1]) : matrix
    case .difference(let a, let b):
      return try a.value(tensor) - b.value(tensor)
    case .constant(let value, let part):
      return Tensor(filledWith: Float(value), [try part.value(tensor).size(0)])
    }
  }

  /// The tensors of theirs that give `whole`; nil where several would.
  func parts(_ whole: Tensor) -> [(name: String, tensor: Tensor)]? {
    switch self {
    case .tensor(let name): return [(name, whole)]
    case .joined(let parts, let shares):
      let total = shares.reduce(0, +)
      guard total > 0, shares.count == parts.count, whole.rank > 0, whole.size(0) % total == 0
      else { return nil }
      var start = 0
      var result: [(name: String, tensor: Tensor)] = []
      for (part, share) in zip(parts, shares) {
        let end = start + whole.size(0) / total * share
        guard let own = part.parts(whole.sliced(0, start, end)) else { return nil }
        result += own
        start = end
      }
      return result
    case .inputs(let part, let sizes, let order):
      guard whole.rank > 1, let blocks = Self.blocks(sizes, order, of: whole.size(1)) else {
        return nil
      }
      var start = 0
      var own: [Int: Tensor] = [:]
      for index in order {
        own[index] = whole.sliced(1, start, start + blocks[index].count)
        start += blocks[index].count
      }
      return part.parts(concatenate(blocks.indices.compactMap { own[$0] }, along: 1))
    case .permuted(let part, let axes):
      let back = axes.indices.map { axes.firstIndex(of: $0) ?? $0 }
      return part.parts(whole.permuted(back))
    case .kernel(let part):
      return part.parts(whole.rank == 4 ? whole.reshaped(Array(whole.shape.prefix(2))) : whole)
    case .difference, .constant: return nil
    }
  }

  /// Where their blocks lie among `total` inputs; nil if sizes and order do not make that many.
  private static func blocks(_ sizes: [Int], _ order: [Int], of total: Int) -> [Range<Int>]? {
    let count = order.count
    guard count > 0, order.sorted() == Array(0..<count) else { return nil }
    var lengths = sizes
    if sizes.isEmpty {
      guard total % count == 0 else { return nil }
      lengths = Array(repeating: total / count, count: count)
    } else if let rest = sizes.firstIndex(of: 0) {
      lengths[rest] = total - sizes.reduce(0, +)
    }
    guard lengths.count == count, lengths.allSatisfy({ $0 > 0 }), lengths.reduce(0, +) == total
    else { return nil }
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return start..<start + length
    }
  }
}
