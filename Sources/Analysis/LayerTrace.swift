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

  /// The window after an operator that looks at windows, along one axis.
  func through(_ window: OperatorWindow, axis: Int) -> ReceptiveWindow {
    let reach = window.dilation[axis] * (window.kernel[axis] - 1)
    let (stride, padding) = (Double(window.stride[axis]), window.padding[axis])
    if window.kind == .transposed {
      let step = jump / stride
      return ReceptiveWindow(
        low: low + Double(padding - reach) * step, high: high + Double(padding) * step, jump: step)
    }
    return ReceptiveWindow(
      low: low - Double(padding) * jump, high: high + Double(reach - padding) * jump,
      jump: jump * stride)
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

  /// The pixels, down and across, that one position of the map before a convolution's kernel depends on; nil for
  /// other operators and for kernels of 1×1, which look at nothing around them.
  var before: (height: Double, width: Double)? {
    guard let rows, let columns, let kernel, let stride, let rate,
      kernel.contains(where: { $0 > 1 })
    else { return nil }
    func side(_ window: ReceptiveWindow, _ axis: Int) -> Double {
      window.size - Double(rate[axis] * (kernel[axis] - 1)) * window.jump / Double(stride[axis])
    }
    return (side(rows, 0), side(columns, 1))
  }

  /// Whether a kernel larger than 1×1 sees, before it begins, as much as an image of this size has.
  func addsNoContext(height: Int, width: Int) -> Bool {
    before.map { Int($0.height) >= height && Int($0.width) >= width } ?? false
  }
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
    let inputs = call.tensors
    kept += call.results
    kept += inputs
    guard let result = call.results.first else { return }
    let field = field(call, inputs, result)
    for tensor in call.results { fields[ObjectIdentifier(tensor)] = field }
    let used = inputs.compactMap { names[ObjectIdentifier($0)] }
    let parameters = used.compactMap(\.parameter).filter {
      counted.insert(ObjectIdentifier($0)).inserted
    }
    var window: OperatorWindow?
    if case .window(let own) = call.reach, own.kind != .margin { window = own }
    layers.append(
      TracedLayer(
        name: used.first.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") }
          ?? "",
        kind: call.name, shape: result.shape, kernel: window?.kernel, stride: window?.stride,
        rate: window?.kind == .convolution ? window?.dilation : nil,
        parameters: parameters.reduce(0) { $0 + $1.count },
        trainable: parameters.reduce(0) { $0 + ($1.requiresGrad ? $1.count : 0) },
        flops: call.operations,
        bytes: call.source() == nil
          ? call.results.reduce(0) { $0 + $1.count * $1.dtype.byteCount } : 0,
        rows: result.rank == 4 ? field?.rows : nil,
        columns: result.rank == 4 ? field?.columns : nil,
        seesAll: field?.seesAll ?? false))
  }

  private func field(_ call: OperatorCall, _ inputs: [Tensor], _ result: Tensor) -> Field? {
    let reach = call.reach
    let known = inputs.enumerated().compactMap { index, input -> Field? in
      guard var field = fields[ObjectIdentifier(input)] else { return nil }
      switch reach {
      case .window(let window) where index == 0:
        field.rows = field.rows.through(window, axis: 0)
        field.columns = field.columns.through(window, axis: 1)
      case .resized:
        field.rows = field.rows.resized(input.height, result.height)
        field.columns = field.columns.resized(input.width, result.width)
      default: break
      }
      return field
    }
    guard var field = known.first else { return nil }
    for other in known.dropFirst() {
      // What sees all, such as a pooled map, says nothing about windows.
      if field.seesAll == other.seesAll {
        field.rows = field.rows.union(other.rows)
        field.columns = field.columns.union(other.columns)
      } else {
        field = field.seesAll ? other : field
        field.seesAll = true
      }
    }
    switch reach {
    case .everything: field.seesAll = true
    case .product where known.count > 1: field.seesAll = true
    default: break
    }
    return field
  }
}
