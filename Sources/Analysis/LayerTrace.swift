import Segmentation
import Torch

/// The part of the image that one position of a map depends on, along one axis, in pixels.
public struct ReceptiveWindow: Sendable, Codable, Equatable {
  /// The first and the last pixel that the first position depends on; the image begins at 0.
  public var low = 0.0, high = 0.0
  /// The pixels between the windows of neighbours.
  public var jump = 1.0

  /// The pixels from the first to the last.
  public var size: Double { high - low + 1 }
  /// The middle of the first position's window.
  public var center: Double { (low + high) / 2 }

  /// The window after a kernel of `kernel` taps.
  func kernel(_ kernel: Int, stride: Int, padding: Int, dilation: Int) -> ReceptiveWindow {
    let before = Double(padding), after = Double(dilation * (kernel - 1) - padding)
    return ReceptiveWindow(
      low: low - before * jump, high: high + after * jump, jump: jump * Double(stride))
  }

  /// The window after a transposed kernel of `kernel` taps.
  func transposed(_ kernel: Int, stride: Int, padding: Int) -> ReceptiveWindow {
    let step = jump / Double(stride)
    return ReceptiveWindow(
      low: low + Double(padding - kernel + 1) * step, high: high + Double(padding) * step,
      jump: step)
  }

  /// The window after resizing from `source` to `target` positions, with both neighbours.
  func resized(_ source: Int, _ target: Int) -> ReceptiveWindow {
    guard source != target, source > 0, target > 0 else { return self }
    let step = jump * Double(source) / Double(target)
    let shift = (step - jump) / 2
    return ReceptiveWindow(low: low + shift - jump, high: high + shift + jump, jump: step)
  }

  func union(_ other: ReceptiveWindow) -> ReceptiveWindow {
    ReceptiveWindow(
      low: min(low, other.low), high: max(high, other.high), jump: max(jump, other.jump))
  }
}

/// One operator of a network's forward pass.
public struct TracedLayer: Sendable, Codable {
  /// The module whose parameters the operator used; empty for operators without any.
  public let name: String
  /// The operator, such as `conv2d`.
  public let kind: String
  /// The shape of the result.
  public let shape: [Int]
  /// The sides of the kernel, the steps between outputs and the distances between the kernel's taps, its
  /// atrous rate, along rows and columns; nil where the operator has none.
  public let kernel, stride, rate: [Int]?
  /// The parameters that the operator used, and those of them that training changes.
  public let parameters, trainable: Int
  /// Floating-point operations, two for each multiplication and addition.
  public let flops: Int
  /// The bytes of the result; 0 where it is a view or was written in place.
  public let bytes: Int
  /// The receptive windows along rows and columns; nil where the result is no map.
  public let rows, columns: ReceptiveWindow?
  /// Whether every position depends on the whole image.
  public let seesAll: Bool
}

/// Follows a forward pass operator by operator: the graph that is actually run.
public final class LayerTrace: OperatorObserver {
  /// The operators in order.
  public private(set) var layers: [TracedLayer] = []
  /// The state names by tensor.
  private var names: [ObjectIdentifier: (name: String, parameter: Parameter?)] = [:]
  private var fields: [ObjectIdentifier: Field] = [:]
  /// All tensors of the pass are kept, so that none of them takes another's identity.
  private var kept: [Tensor] = []
  private var counted: Set<ObjectIdentifier> = []

  private struct Field {
    var rows = ReceptiveWindow(), columns = ReceptiveWindow()
    var seesAll = false
  }

  /// What gives a tensor another shape and moves nothing.
  private static let views: Set<String> = [
    "view", "reshape", "permute", "transpose", "select", "slice", "expand", "flatten", "squeeze",
    "unsqueeze", "split", "chunk", "detach", "t", "contiguous",
  ]

  /// Runs `model` once in evaluation mode on an image of this size without memory for it, and
  /// follows.
  ///
  /// - Throws: `TorchError` if the network cannot take the size.
  public init(_ model: SegmentationModel, height: Int, width: Int, channels: Int = 3) throws {
    for (name, tensor) in model.state {
      names[ObjectIdentifier(tensor)] = (name, tensor as? Parameter)
    }
    let wasTraining = model.isTraining
    model.train(false)
    defer { model.train(wasTraining) }
    try attempt {
      withoutGradients {
        let image = Tensor(uninitialized: [1, channels, height, width])
        kept.append(image)
        fields[ObjectIdentifier(image)] = Field()
        observing(self) { _ = model.output(image) }
      }
    }
    (kept, fields, names) = ([], [:], [:])
  }

  /// Is told of each operator.
  public func observe(_ call: OperatorCall) {
    let inputs = call.arguments.flatMap { argument -> [Tensor] in
      switch argument {
      case .tensor(let tensor): [tensor]
      case .tensors(let list): list.compactMap { $0 }
      default: []
      }
    }
    kept += call.results
    kept += inputs
    guard let result = call.results.first else { return }
    let field = field(call, inputs, result)
    for tensor in call.results { fields[ObjectIdentifier(tensor)] = field }
    let used = inputs.compactMap { names[ObjectIdentifier($0)] }
    let parameters = used.compactMap(\.parameter).filter {
      counted.insert(ObjectIdentifier($0)).inserted
    }
    let scan = Self.scan(call, inputs)
    let isFresh = !call.name.hasSuffix("_") && !Self.views.contains(call.name)
    layers.append(
      TracedLayer(
        name: used.first.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") }
          ?? "",
        kind: call.name, shape: result.shape, kernel: scan?.kernel, stride: scan?.stride,
        rate: scan?.rate, parameters: parameters.reduce(0) { $0 + $1.count },
        trainable: parameters.reduce(0) { $0 + ($1.requiresGrad ? $1.count : 0) },
        flops: FlopCounter.flops(call, result),
        bytes: isFresh ? call.results.reduce(0) { $0 + $1.count * $1.dtype.byteCount } : 0,
        rows: result.rank == 4 ? field?.rows : nil,
        columns: result.rank == 4 ? field?.columns : nil,
        seesAll: field?.seesAll ?? false))
  }

  /// How a convolution or a pooling scans its map.
  private static func scan(
    _ call: OperatorCall, _ inputs: [Tensor]
  ) -> (kernel: [Int], stride: [Int], rate: [Int]?)? {
    func pair(_ index: Int) -> [Int]? {
      guard call.arguments.indices.contains(index), case .ints(let list) = call.arguments[index],
        list.count == 2
      else { return nil }
      return list
    }
    switch call.name {
    case "conv2d" where inputs.count > 1:
      return (Array(inputs[1].shape.suffix(2)), pair(3) ?? [1, 1], pair(5) ?? [1, 1])
    case "conv_transpose2d" where inputs.count > 1:
      return (Array(inputs[1].shape.suffix(2)), pair(3) ?? [1, 1], nil)
    case "max_pool2d", "avg_pool2d":
      return pair(1).map { ($0, pair(2) ?? $0, nil) }
    default: return nil
    }
  }

  private func field(_ call: OperatorCall, _ inputs: [Tensor], _ result: Tensor) -> Field? {
    let known = inputs.compactMap { fields[ObjectIdentifier($0)] }
    guard var field = known.first else { return nil }
    for other in known.dropFirst() {
      // What sees all, such as a pooled map, says nothing about windows.
      if other.seesAll && !field.seesAll {
        field.seesAll = true
        continue
      }
      let rows = field.seesAll && !other.seesAll ? other.rows : field.rows.union(other.rows)
      let columns =
        field.seesAll && !other.seesAll ? other.columns : field.columns.union(other.columns)
      field = Field(rows: rows, columns: columns, seesAll: field.seesAll || other.seesAll)
    }
    func pair(_ index: Int, _ fallback: [Int]) -> [Int] {
      guard call.arguments.indices.contains(index), case .ints(let list) = call.arguments[index],
        list.count == 2
      else { return fallback }
      return list
    }
    func kernel(_ size: [Int], _ stride: [Int], _ padding: [Int], _ dilation: [Int]) {
      field.rows = field.rows.kernel(
        size[0], stride: stride[0], padding: padding[0], dilation: dilation[0])
      field.columns = field.columns.kernel(
        size[1], stride: stride[1], padding: padding[1], dilation: dilation[1])
    }
    let (one, none) = ([1, 1], [0, 0])
    switch call.name {
    case "conv2d" where inputs.count > 1:
      kernel(Array(inputs[1].shape.suffix(2)), pair(3, one), pair(4, none), pair(5, one))
    case "conv_transpose2d" where inputs.count > 1:
      let (size, stride, padding) = (inputs[1].shape.suffix(2), pair(3, one), pair(4, none))
      field.rows = field.rows.transposed(size.first ?? 1, stride: stride[0], padding: padding[0])
      field.columns = field.columns.transposed(
        size.last ?? 1, stride: stride[1], padding: padding[1])
    case "max_pool2d":
      kernel(pair(1, one), pair(2, pair(1, one)), pair(3, none), pair(4, one))
    case "avg_pool2d": kernel(pair(1, one), pair(2, pair(1, one)), pair(3, none), one)
    case "scaled_dot_product_attention", "adaptive_avg_pool2d", "_adaptive_avg_pool2d":
      field.seesAll = true
    case "mean" where inputs[0].rank == 4 && result.count < inputs[0].count:
      field.seesAll = true
    case let name where name.hasPrefix("upsample"):
      field.rows = field.rows.resized(inputs[0].height, result.height)
      field.columns = field.columns.resized(inputs[0].width, result.width)
    case "pad", "constant_pad_nd":
      guard case .ints(let amounts)? = call.arguments.dropFirst().first, amounts.count >= 4 else {
        break
      }
      field.columns = field.columns.kernel(1, stride: 1, padding: amounts[0], dilation: 1)
      field.rows = field.rows.kernel(1, stride: 1, padding: amounts[2], dilation: 1)
    default: break
    }
    return field
  }
}
