extension OperatorMeaning {
  /// What operators do, by name; those of other namespaces than `aten` by `namespace::name`.
  static let table = [positionwise, sameShape, choices, maps, products, fused].reduce(into: [:]) {
    $0.merge($1) { _, _ in fatalError("an operator has two rows") }
  }

  /// The operators of these names, all with one row.
  private static func rows(_ names: String, _ row: OperatorMeaning) -> [String: OperatorMeaning] {
    Dictionary(uniqueKeysWithValues: names.split { $0.isWhitespace }.map { (String($0), row) })
  }

  /// Those that treat each position by itself, join, cut or reorder, and losses; libtorch knows their shapes.
  private static let positionwise = rows(
    """
    add add_ sub rsub mul mul_ div neg pow sqrt rsqrt exp log clamp eq ne ge lt isfinite maximum
    masked_fill addcmul gelu sigmoid silu tanh softmax log_softmax dropout feature_dropout argmax topk sort
    gather index cat stack split chunk flatten reshape permute transpose unsqueeze squeeze expand
    slice select contiguous clone detach as_strided empty zeros_like ones_like arange copy_ fill_ normal_
    uniform_ requires_grad_ bincount cumsum diff cross_entropy_loss binary_cross_entropy_with_logits nll_loss_nd
    atrous::pack atrous::pack_whole atrous::pack_depthwise mkldnn::_reorder_convolution_weight
    """, OperatorMeaning())

  /// Those that treat each position by itself, and whose shapes libtorch leaves to PyTorch's Python.
  private static let sameShape = rows(
    """
    batch_norm layer_norm group_norm relu relu_ hardswish hardsigmoid hardtanh roll flip abs
    atrous::trained_norm atrous::layer_norm
    """, OperatorMeaning(shape: { $0.tensors.first?.shape }))

  /// Those that give truth values, or choose, and whose shapes libtorch leaves to PyTorch's Python.
  private static let choices = rows(
    "isnan logical_not logical_and logical_or logical_xor",
    OperatorMeaning(dtype: { _ in .bool }, shape: { $0.commonShape })
  ).merging([
    "where": OperatorMeaning(dtype: { $0.tensor("self")?.dtype }, shape: { $0.commonShape }),
    "index_select": OperatorMeaning(shape: { call in
      guard var shape = call.tensor("self")?.shape, case let dimension = call.int("dim"),
        (-shape.count..<shape.count).contains(dimension)
      else { return nil }
      shape[dimension < 0 ? dimension + shape.count : dimension] = call.count("index")
      return shape
    }),
  ]) { $1 }

  /// Those that look at a window of a map, at all of it, or at one of another size.
  private static let maps: [String: OperatorMeaning] = [
    "conv2d": convolution("weight"),
    "conv_transpose2d": OperatorMeaning(
      channels: { $0.size("weight", 1) * $0.int("groups") },
      operations: { 2 * $0.count("input") * $0.kernelCount("weight") },
      window: {
        OperatorWindow(
          $0.sides("weight"), .transposed, stride: $0.ints("stride"), padding: $0.ints("padding"),
          dilation: $0.ints("dilation"), endPadding: $0.ints("output_padding"))
      }),
    "constant_pad_nd": OperatorMeaning(reach: { call in
      let amounts = call.ints("pad")
      guard amounts.count >= 4 else { return .position }
      return .window(OperatorWindow([1], .margin, padding: [amounts[2], amounts[0]]))
    }),
    "max_pool2d": pooling, "avg_pool2d": pooling,
    "adaptive_avg_pool2d": OperatorMeaning(
      reach: { _ in .everything },
      shape: { $0.tensors[0].shape.dropLast(2) + $0.ints("output_size") }),
  ]
  .merging(rows("mean sum amax amin prod max std all linalg_vector_norm", reduction)) { $1 }
  .merging(["logsumexp": OperatorMeaning(reach: reduction.reach, shape: { $0.reducedShape })]) {
    $1
  }
  .merging(
    rows(
      "upsample_bilinear2d upsample_bicubic2d upsample_nearest2d",
      OperatorMeaning(reach: { _ in .resized }))
  ) { $1 }

  /// Matrix products and attention, and changes of type, which the door leaves out where there is none.
  private static let products: [String: OperatorMeaning] = [
    "to": OperatorMeaning(copies: true),
    "matmul": OperatorMeaning(
      operations: { 2 * $0.outputCount * $0.size("self", -1) }, reach: { _ in .product }),
    "einsum": OperatorMeaning(reach: { _ in .product }),
    "linear": OperatorMeaning(
      operations: { 2 * $0.count("input") * $0.size("weight", 0) },
      shape: { $0.leading("input") + [$0.size("weight", 0)] }),
    "scaled_dot_product_attention": attention("query", "key", "value"),
  ]

  private static let pooling = OperatorMeaning(
    channels: { $0.tensors[0].size(-3) },
    window: { call in
      OperatorWindow(
        call.ints("kernel_size"), .pooling, stride: call.ints("stride"),
        padding: call.ints("padding"),
        dilation: call["dilation"] == nil ? [1] : call.ints("dilation"),
        isCeiled: call.bool("ceil_mode"))
    })

  private static let reduction = OperatorMeaning(reach: { call in
    guard let rank = call.tensors.first?.rank, rank == 4 else { return .position }
    // Without dimensions all of them are meant.
    let dimensions = call.ints("dim").map { $0 < 0 ? $0 + rank : $0 }
    return dimensions.isEmpty || dimensions.contains { $0 > 1 } ? .everything : .position
  })

  /// A convolution by the tensor of this name, whose other arguments have libtorch's names.
  static func convolution(_ weight: String) -> OperatorMeaning {
    OperatorMeaning(
      channels: { $0.size(weight, 0) },
      operations: { 2 * $0.outputCount * $0.kernelCount(weight) },
      window: {
        OperatorWindow(
          $0.sides(weight), stride: $0.ints("stride"), padding: $0.ints("padding"),
          dilation: $0.ints("dilation"))
      })
  }

  /// Attention of the tensors of these names.
  static func attention(_ query: String, _ key: String, _ value: String) -> OperatorMeaning {
    OperatorMeaning(
      operations: { 2 * ($0.count(query) + $0.outputCount) * $0.size(key, -2) },
      reach: { _ in .everything }, shape: { $0.leading(query) + [$0.size(value, -1)] })
  }
}

/// What rows ask of a call; a tensor that was not given has no elements.
extension OperatorCall {
  func size(_ name: String, _ dimension: Int) -> Int { tensor(name)?.size(dimension) ?? 0 }
  func count(_ name: String) -> Int { tensor(name)?.count ?? 0 }
  func bool(_ name: String) -> Bool { if case .bool(true)? = self[name] { true } else { false } }
  var outputCount: Int { output?.count ?? 0 }
  /// The numbers of one of the kernels.
  func kernelCount(_ name: String) -> Int {
    tensor(name)?.shape.dropFirst().reduce(1, *) ?? 0
  }
  /// The rows and columns of kernels.
  func sides(_ name: String) -> [Int] { [size(name, 2), size(name, 3)] }
  /// The shape that all tensors are broadcast to; nil where they do not fit each other.
  var commonShape: [Int]? {
    tensors.map(\.shape).reduce([]) { whole, shape in
      guard let whole else { return nil }
      let (more, fewer) = whole.count < shape.count ? (shape, whole) : (whole, shape)
      var result = more
      for (index, length) in fewer.enumerated() {
        let place = more.count - fewer.count + index
        guard result[place] == length || result[place] == 1 || length == 1 else { return nil }
        if result[place] == 1 { result[place] = length }
      }
      return result
    }
  }
  /// The shape without the dimensions `dim`, or with one element along them.
  var reducedShape: [Int]? {
    guard let shape = tensors.first?.shape else { return nil }
    let dimensions = Set(ints("dim").map { $0 < 0 ? $0 + shape.count : $0 })
    return shape.indices.compactMap {
      dimensions.contains($0) ? (bool("keepdim") ? 1 : nil) : shape[$0]
    }
  }
  /// The shape but the last dimension.
  func leading(_ name: String) -> [Int] { tensor(name)?.shape.dropLast() ?? [] }
}
