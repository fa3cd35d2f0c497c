import Evaluation
import Segmentation
import Torch

/// What a network consists of and costs for one size of image.
public struct ModelSummary: JSONReport, Sendable {
  /// One part of the network.
  public struct Part: Sendable, Codable {
    /// The dotted name.
    public let name: String
    /// The type of the module.
    public let kind: String
    /// The parameters in it, trainable or not.
    public let parameters: Int
    /// Those that training changes.
    public let trainable: Int
  }

  /// The backbone, the heads and what is directly inside them.
  public let parts: [Part]
  /// All parameters.
  public let parameters: Int
  /// The parameters that training changes.
  public let trainable: Int
  /// The shape of the image (N, C, H, W).
  public let input: [Int]
  /// The shape of the scores at the head's own resolution.
  public let logits: [Int]
  /// The channels and the strides of the backbone's maps.
  public let channels: [Int], strides: [Int]
  /// Floating-point operations of one forward pass, two for each multiplication and addition.
  public let flops: Int
  /// The bytes of all intermediate results together.
  public let activationBytes: Int
  /// What the network computes beyond its weights: output stride, rates and more; nil for the network of an
  /// ONNX file, which has no backbone and head.
  public let geometry: NetworkGeometry?
  /// How many convolutions have each rate above 1.
  public let rates: [Int: Int]
  /// For DenseASPP: the sizes in feature pixels that the cascade sees, smallest first.
  public let scales: [Int]
  /// The operators of the pass, if they were asked for.
  public let layers: [TracedLayer]
  /// A pass with weights and memory, if there was one.
  public var run: NetworkRun?

  /// Runs `model` once, in evaluation mode, on an empty image of this size; with `tracing` a second
  /// time for the list of layers, which keeps all results at once unless it is run in `shapesOnly`.
  ///
  /// - Throws: `TorchError` if the network cannot run at this size.
  public init(
    _ model: SegmentationModel, height: Int, width: Int, inputChannels: Int = 3,
    tracing: Bool = false
  ) throws {
    let image = Tensor(filledWith: 0, [1, inputChannels, height, width])
    let counter = FlopCounter(), dilations = RateCounter()
    let wasTraining = model.isTraining
    model.train(false)
    defer { model.train(wasTraining) }
    let output = try attempt {
      withoutGradients {
        observing(counter) { observing(dilations) { model.output(image) } }
      }
    }
    input = image.shape
    logits = output.logits.shape
    flops = counter.total
    activationBytes = counter.activationBytes
    // What stands for the backbone of an ONNX file's network has no weights and says nothing of its maps.
    let hasParts = !model.backbone.parameters.isEmpty
    channels = hasParts ? model.backbone.channels : []
    strides = hasParts ? model.backbone.strides : []
    geometry = hasParts ? NetworkGeometry(model) : nil
    rates = dilations.counts
    scales = (model.classifier as? DenseASPP)?.configuration.scales ?? []
    layers =
      tracing
      ? try LayerTrace(model, height: height, width: width, channels: inputChannels).layers : []
    func part(_ name: String, _ module: Module) -> Part {
      let all = module.parameters
      return Part(
        name: name, kind: "\(type(of: module))",
        parameters: all.reduce(0) { $0 + $1.parameter.count },
        trainable: all.reduce(0) { $0 + ($1.parameter.requiresGrad ? $1.parameter.count : 0) })
    }
    parts = model.children.flatMap { child in
      [part(child.name, child.module)]
        + child.module.children.map { part("  \(child.name).\($0.name)", $0.module) }
        .filter { $0.parameters > 0 }
    }
    let whole = part("", model)
    parameters = whole.parameters
    trainable = whole.trainable
  }

  /// The summary as a text table.
  public var table: String {
    let rows =
      parts.map { [$0.name, $0.kind, Self.grouped($0.parameters), Self.grouped($0.trainable)] }
      + [["total", "", Self.grouped(parameters), Self.grouped(trainable)]]
    let header = ["part", "kind", "parameters", "trainable"]
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ row: [String]) -> String {
      row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - cell.count)
        return index < 2 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    var lines = [
      line(header), widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "),
    ]
    lines += rows.map(line)
    lines += [
      "",
      "image            \(input[3])x\(input[2]), scores of \(logits[1]) classes on"
        + " \(logits[3])x\(logits[2]) positions",
    ]
    if let geometry {
      lines.append(
        "backbone maps    "
          + zip(channels, strides).map { "\($0) channels at stride \($1)" }.joined(separator: ", "))
      lines += geometry.rows.map { row in
        row.title + String(repeating: " ", count: max(1, 17 - row.title.count)) + row.text
      }
      lines.append("                 (weights say nothing of \(NetworkGeometry.notInFiles))")
    } else {
      let list = rates.sorted { $0.key < $1.key }.map { "\($0.key) ×\($0.value)" }
      lines.append("rates            " + (list.isEmpty ? "none" : list.joined(separator: ", ")))
    }
    lines += [
      "operations       \(Self.rounded(Double(flops) / 1e9)) GFLOP forward (multiplications and additions)",
      "activations      \(Self.rounded(Double(activationBytes) / 1_048_576)) MiB in all results together",
    ]
    if let largest = scales.last {
      lines += [
        "scales           \(scales.map(String.init).joined(separator: ", ")) feature pixels",
        "largest scale    \(largest)",
      ]
    }
    return (lines + (run?.lines ?? [])).joined(separator: "\n")
  }

  /// The layers as a text table: what has parameters, costs operations or changes the size.
  public var layerTable: String {
    let shown = layers.filter {
      !$0.name.isEmpty || $0.flops > 0 || $0.kind.contains("pool") || $0.kind.hasPrefix("upsample")
    }
    return TextTable.lines(
      [
        "layer", "operator", "output", "kernel", "stride", "rate", "parameters", "trainable",
        "GFLOP",
        "MiB",
      ],
      shown.map {
        [
          $0.name.isEmpty ? "-" : $0.name, $0.kind,
          $0.shape.map(String.init).joined(separator: "x"),
          Self.sides($0.kernel), Self.sides($0.stride), Self.sides($0.rate),
          Self.grouped($0.parameters), Self.grouped($0.trainable),
          Self.rounded(Double($0.flops) / 1e9), Self.rounded(Double($0.bytes) / 1_048_576),
        ]
      }, left: 3
    ).joined(separator: "\n")
  }

  /// One number for both sides where they agree; nothing where there are none.
  private static func sides(_ sides: [Int]?) -> String {
    guard let sides, let first = sides.first else { return "" }
    return sides.allSatisfy { $0 == first }
      ? "\(first)" : sides.map(String.init).joined(separator: "x")
  }

  static func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0 && index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }

  static func rounded(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    let fraction = String(thousandths % 1000)
    return "\(thousandths / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}

/// Counts dilated convolutions by their rates.
private final class RateCounter: OperatorObserver {
  private(set) var counts: [Int: Int] = [:]

  func observe(_ call: OperatorCall) {
    guard case .window(let window) = call.reach, window.kind == .convolution else { return }
    let rate = zip(window.dilation, window.kernel).map { $1 > 1 ? $0 : 1 }.max() ?? 1
    if rate > 1 { counts[rate, default: 0] += 1 }
  }
}
